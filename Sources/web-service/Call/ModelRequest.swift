import NIOCore
import SharedProtocol

/// A request to a model as a client wrote it: what Lumen must know of it, and the rest, untouched. One scan finds the
/// top-level members that matter; any of them twice, also spelt with escapes, is refused, because two readers could
/// choose differently.
struct ModelRequest: Sendable {
    typealias Operation = Router.Operation

    let operation: Operation
    let model: ModelName
    let isStream: Bool
    /// Whether the client asked for the usage event of a stream.
    let wantsUsage: Bool
    /// How many outputs: `n`; of `/completions`, prompts × max(`n`, `best_of`); none of embeddings.
    let outputs: Int64
    /// The limit per output that the client named, and the member that it used.
    let namedLimit: TokenCount?
    let limitField: String?
    let prompt: PromptSize
    /// The request without `model` and output limit, which the router puts in, and with the usage of a stream asked for.
    let body: ByteBuffer

    /// The most outputs that one request may ask for.
    static let outputsLimit: Int64 = 128
    /// The most prompts or inputs in one request.
    static let textsLimit: Int64 = 2048

    /// Throws a 400 that names the first member that is missing or wrong.
    init(json: ByteBuffer, for operation: Operation = .chatCompletions) throws(APIError) {
        let members = try Self.scan(json, for: operation)
        guard let model = members.model else { throw .invalidRequest("“model” is required.", param: "model") }
        guard let prompt = members.prompt, prompt.messages + prompt.texts > 0 else {
            throw .invalidRequest(operation.subjectProblem, param: operation.subject)
        }
        if prompt.texts > Self.textsLimit {
            throw .invalidRequest(
                "“\(operation.subject)” may have at most \(Self.textsLimit) elements.", param: operation.subject)
        }
        self.operation = operation
        self.model = ModelName(model)
        self.prompt = prompt
        isStream = members.isStream
        wantsUsage = members.wantsUsage
        namedLimit = (members.maxCompletionTokens ?? members.maxTokens).map { TokenCount($0) }
        switch operation {
        case .embeddings:
            outputs = 0
            limitField = nil
        case .completions:
            outputs = prompt.texts * max(members.outputs, members.bestOf)
            limitField = "max_tokens"
        default:
            outputs = members.outputs
            limitField =
                members.maxCompletionTokens != nil
                ? "max_completion_tokens" : members.maxTokens != nil ? "max_tokens" : nil
        }
        body = members.body(of: json)
    }

    private static func scan(
        _ json: ByteBuffer, for operation: Operation
    ) throws(APIError) -> RequestMembers {
        var members = RequestMembers(of: operation)
        do throws(JSONScanError) {
            try json.withUnsafeReadableBytes { bytes throws(JSONScanError) in
                var scan = JSONScan(bytes)
                if try scan.kind() == .object { members.isObject = true }
                try members.read(&scan)
                try scan.end()
            }
        } catch {
            if error.isTooDeep {
                throw .invalidRequest("The body is nested more than \(JSONScan.depthLimit) levels deep.")
            }
            throw .invalidRequest(members.isObject ? "The body is not valid JSON." : "The body is not a JSON object.")
        }
        if let problem = members.problem { throw problem }
        return members
    }

    /// The limit per output that is asked for: the client's, or what fits the model, but never above the model's own. Zero
    /// of embeddings.
    func outputLimit(for model: ModelConfiguration) -> TokenCount {
        if outputs == 0 { return 0 }
        if let namedLimit { return min(namedLimit, model.maxOutputTokens ?? namedLimit) }
        let usual = model.maxOutputTokens ?? Self.usualOutputLimit
        guard let window = model.contextWindow else { return usual }
        return max(1, min(usual, window - prompt.estimate(for: model)))
    }

    /// Where neither the client nor the configuration names a limit.
    static let usualOutputLimit: TokenCount = 4096
}

/// What a prompt can cost at most, and what it likely costs, in bytes until the model is known.
struct PromptSize: Sendable, Hashable {
    /// Of the JSON of all that the model reads, without the payloads of data URLs.
    var bytes: Int64 = 0
    var messages: Int64 = 0
    /// Prompts or inputs, of the operations that have those instead of messages.
    var texts: Int64 = 0
    var images: Int64 = 0
    /// Of audio and files that are part of the request.
    var otherPayloadBytes: Int64 = 0

    /// No tokenizer makes more tokens than bytes; what the model's template adds is configured.
    func bound(for model: ModelConfiguration) -> TokenCount {
        let text = TokenCount(bytes + 8 * messages + (otherPayloadBytes + 63) / 64)
        let all = text + model.templateTokens + imageCost(for: model)
        return model.contextWindow.map { min($0, all) } ?? all
    }

    /// Four bytes a token, and a quarter more to be on the safe side.
    func estimate(for model: ModelConfiguration) -> TokenCount {
        min(bound(for: model), TokenCount(((bytes + 3) / 4 * 5 + 3) / 4) + imageCost(for: model))
    }

    /// For a backend that does not report what it read.
    var unreported: TokenCount { TokenCount((bytes + 3) / 4) }

    private func imageCost(for model: ModelConfiguration) -> TokenCount {
        TokenCount(images * model.imageTokens.rawValue)
    }
}

extension Router.Operation {
    fileprivate var subjectProblem: String {
        self == .chatCompletions
            ? "“messages” must be a list of at least one message."
            : "“\(subject)” must be a string, a list of tokens, or a list of strings or of such lists."
    }
}
