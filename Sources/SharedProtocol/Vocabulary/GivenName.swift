/// Names that people give to things: keys, groups. And what is done to those that they have themselves.
extension String {
    /// Without white space at both ends.
    public var trimmed: String {
        String(drop(while: \.isWhitespace).reversed().drop(while: \.isWhitespace).reversed())
    }

    /// A name that a person gives, without white space at both ends. Throws `refused` when nothing or too much is left, or
    /// more than a line.
    ///
    /// - Parameter what: begins the sentence that tells so, like `A key's name`.
    public func named(_ what: String) throws(CallError) -> String {
        let name = trimmed
        let isPrintable = !name.unicodeScalars.contains {
            $0.value < 32 || $0.value == 127 || $0.isDirectionControl
        }
        // A character may be many bytes; the second limit bounds what is stored.
        guard isPrintable, 1...100 ~= name.count, name.utf8.count <= 400 else {
            throw CallError(.refused, "\(what) has 1 to 100 characters on one line, and no invisible controls.")
        }
        return name
    }

    /// Without controls of the writing direction.
    public var withoutDirectionControls: String {
        guard unicodeScalars.contains(where: \.isDirectionControl) else { return self }
        var kept = UnicodeScalarView()
        kept.append(contentsOf: unicodeScalars.lazy.filter { !$0.isDirectionControl })
        return String(kept)
    }
}

extension Unicode.Scalar {
    /// Whether it would have the text around it read backwards, too: what Unicode calls `Bidi_Control`. Letters know their
    /// direction without.
    fileprivate var isDirectionControl: Bool {
        switch value {
        case 0x061C, 0x200E...0x200F, 0x202A...0x202E, 0x2066...0x2069: true
        default: false
        }
    }
}
