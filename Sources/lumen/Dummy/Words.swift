/// One word is one token: a run of characters up to and including the white space that follows it.
enum Words {
    /// The pieces of the text, which together are the text again.
    static func pieces(of text: String) -> [Substring] {
        var pieces: [Substring] = []
        var start = text.startIndex
        var isInSpace = false
        for index in text.indices {
            let isSpace = text[index].isWhitespace
            if isInSpace, !isSpace {
                pieces.append(text[start..<index])
                start = index
            }
            isInSpace = isSpace
        }
        if start < text.endIndex { pieces.append(text[start...]) }
        return pieces
    }

    static func count(in text: String) -> Int {
        text.utf8.split(whereSeparator: { $0 == 0x20 || (0x09...0x0D).contains($0) }).count
    }
}
