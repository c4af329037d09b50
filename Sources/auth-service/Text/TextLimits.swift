import SharedProtocol

extension String {
    /// As many whole characters from the beginning as have at most so many bytes.
    func prefix(bytes most: Int) -> String {
        if utf8.count <= most { return self }
        var end = startIndex
        while end < endIndex {
            let next = index(after: end)
            if utf8.distance(from: startIndex, to: next) > most { break }
            end = next
        }
        return String(self[..<end])
    }

    /// Without white space at both ends.
    var trimmed: String {
        String(drop(while: \.isWhitespace).reversed().drop(while: \.isWhitespace).reversed())
    }

    /// A name that a person gives, without white space at both ends. Throws `refused` when nothing or too much is left, or
    /// more than a line.
    ///
    /// - Parameter what: begins the sentence that tells so, like `A key's name`.
    func named(_ what: String) throws(CallError) -> String {
        let name = trimmed
        // Controls of the writing direction would have the text around it read backwards, too.
        let isPrintable = !name.unicodeScalars.contains {
            $0.value < 32 || $0.value == 127 || $0.properties.isBidiControl
        }
        // A character may be many bytes; the second limit bounds what is stored.
        guard isPrintable, 1...100 ~= name.count, name.utf8.count <= 400 else {
            throw CallError(.refused, "\(what) has 1 to 100 characters on one line.")
        }
        return name
    }

    /// A pattern for `LIKE … ESCAPE '\'` that finds what contains this text without white space at its ends, in lower case. Wildcards in the text are letters
    /// like any other: `a_b@` is common.
    var containedPattern: String {
        var pattern = "%"
        for letter in trimmed.lowercased().unicodeScalars {
            if "\\%_".unicodeScalars.contains(letter) { pattern.append("\\") }
            pattern.unicodeScalars.append(letter)
        }
        return pattern + "%"
    }
}
