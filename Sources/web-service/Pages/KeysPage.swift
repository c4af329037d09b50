import HTTPTypes
import Hummingbird
import SharedProtocol

extension Site {
    func keys(_ visit: Visit) async throws -> Response {
        try await keysPage(visit, created: nil, problem: nil)
    }

    /// Makes a key and shows its secret, this once: the page is the answer to the POST and can be had no second time.
    func createKey(_ visit: Visit) async throws -> Response {
        let form = try await visit.form(KeyForm.self)
        do throws(CallError) {
            let cap = try form.capTokens()
            let call = Auth.CreateKey(owner: .user(visit.person.id), name: form.name, cap: cap)
            let created = try await auth.call(call, request: visit.id, timeout: Self.callTimeout)
            return try await keysPage(visit, created: created, problem: nil)
        } catch {
            guard error.code == .refused else { throw error }
            return try await keysPage(visit, created: nil, problem: error.message, status: .unprocessableContent)
        }
    }

    func revokeKey(_ visit: Visit) async throws -> Response {
        guard let id = visit.parameters.get("id", as: Int64.self) else { throw PageProblem.notFound }
        let call = Auth.RevokeKey(user: visit.person.id, key: KeyID(id))
        _ = try await auth.call(call, request: visit.id, timeout: Self.callTimeout)
        return .redirect(to: "/keys")
    }

    private func keysPage(
        _ visit: Visit, created: Auth.NewKey?, problem: String?, status: HTTPResponse.Status = .ok
    ) async throws(CallError) -> Response {
        let call = Auth.ListKeys(user: visit.person.id)
        let keys = try await auth.call(call, request: visit.id, timeout: Self.callTimeout)
        let model = await balances(for: visit)?.models.first?.model
        let content = KeysPage(
            keys: keys, created: created, problem: problem, origin: origin, model: model ?? ModelName("MODEL"))
        return page("keys", title: "API keys", content, for: visit, status: status)
    }
}

private struct KeyForm: Decodable {
    var name: String
    var cap: String?

    /// Nil for none. Blanks between the digits are how people write large numbers.
    func capTokens() throws(CallError) -> TokenCount? {
        let digits = (cap ?? "").filter { !$0.isWhitespace }
        if digits.isEmpty { return nil }
        guard let tokens = Int64(digits) else { throw CallError(.refused, "A key's cap is a whole number of tokens.") }
        return TokenCount(tokens)
    }
}

/// The reader's keys, and how to use one.
struct KeysPage: Sendable {
    var keys: [Row]
    var isEmpty: Bool
    var secret: String?
    var problem: String?
    var baseURL: String
    var model: String
    /// What the examples use in place of a key.
    var exampleKey: String

    struct Row: Sendable {
        var id: Int64
        var name: String
        var hint: String
        var cap: String?
        var created: Moment
        var lastUsed: Moment?
    }

    init(keys: [Auth.KeySummary], created: Auth.NewKey?, problem: String?, origin: WebOrigin, model: ModelName) {
        self.keys = keys.map {
            Row(
                id: $0.id.rawValue, name: $0.name, hint: $0.hint, cap: $0.cap?.grouped,
                created: Moment($0.created),
                lastUsed: $0.lastUsed.map(Moment.init))
        }
        isEmpty = keys.isEmpty
        secret = created?.secret
        self.problem = problem
        baseURL = origin.description + "/v1"
        self.model = model.rawValue
        exampleKey = created?.secret ?? "sk-lumen-…"
    }
}

/// A time as a template writes it: for machines, and for browsers without script.
struct Moment: Sendable {
    var machine: String
    var text: String

    init(_ time: Timestamp) {
        machine = time.rfc3339
        text = time.readable
    }
}
