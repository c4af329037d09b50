import NIOCore

/// `POST /embeddings`: a short vector for each input, the same for the same text.
struct Embeddings {
    /// Numbers in a vector.
    static let dimensions = 8

    let json: ByteBuffer

    init(of request: DummyRequest, as behaviour: Behaviour) {
        let data = request.quotes.enumerated().map { index, text in
            #"{"object":"embedding","index":\#(index),"embedding":[\#(Self.vector(of: text))]}"#
        }
        let usage = Self.usage(of: request, as: behaviour).map {
            #","usage":{"prompt_tokens":\#($0),"total_tokens":\#($0)}"#
        }
        json = ByteBuffer(
            string: """
                {"object":"list","model":\(DummyRendering.json(request.model)),\
                "data":[\(data.joined(separator: ","))]\(usage ?? "")}
                """)
    }

    /// Prompt tokens; nil: not reported.
    private static func usage(of request: DummyRequest, as behaviour: Behaviour) -> Int? {
        switch behaviour.usage {
        case .none: nil
        case .words: request.promptWords
        case .bound(let factor): request.promptBound * factor
        }
    }

    /// How often each class of bytes occurs, between 0 and 1.
    private static func vector(of text: String) -> String {
        var counts = [Int](repeating: 0, count: dimensions)
        for byte in text.utf8 { counts[Int(byte) % dimensions] += 1 }
        let length = max(1, text.utf8.count)
        return counts.map { String(Double($0) / Double(length)) }.joined(separator: ",")
    }
}
