import NIOCore

/// `POST /embeddings`: a short vector for each input, the same for the same text.
struct Embeddings {
    /// Numbers in a vector.
    static let dimensions = 8

    let json: ByteBuffer

    init(of request: DummyRequest) {
        let data = request.quotes.enumerated().map { index, text in
            #"{"object":"embedding","index":\#(index),"embedding":[\#(Self.vector(of: text))]}"#
        }
        let usage = #"{"prompt_tokens":\#(request.promptWords),"total_tokens":\#(request.promptWords)}"#
        json = ByteBuffer(
            string: """
                {"object":"list","model":\(DummyRendering.json(request.model)),\
                "data":[\(data.joined(separator: ","))],"usage":\(usage)}
                """)
    }

    /// How often each class of bytes occurs, between 0 and 1.
    private static func vector(of text: String) -> String {
        var counts = [Int](repeating: 0, count: dimensions)
        for byte in text.utf8 { counts[Int(byte) % dimensions] += 1 }
        let length = max(1, text.utf8.count)
        return counts.map { String(Double($0) / Double(length)) }.joined(separator: ",")
    }
}
