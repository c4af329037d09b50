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
