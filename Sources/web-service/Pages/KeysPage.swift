import HTTPTypes
import Hummingbird
import SharedProtocol

extension Site {
    func keys(_ visit: Visit) async throws -> Response {
        let models = await usableModels(visit)
        return try await keysPage(visit, models, KeyForm(models: models))
    }

    /// Makes a key and shows its secret, this once: the page is the answer to the POST. Loading it again makes no other key.
    func createKey(_ visit: Visit) async throws -> Response {
        let input = try await visit.form(KeyInput.self)
        let models = await usableModels(visit)
        var form = KeyForm(input, models: models)
        if form.hasProblems { return try await keysPage(visit, models, form, status: .unprocessableContent) }
        do throws(CallError) {
            let call = Auth.CreateKey(
                owner: .user(visit.person.id), name: input.name, cap: form.cap, expires: form.expires,
                models: form.only)
            if let created = try await create(call, form: input.form, visit) {
                return try await keysPage(visit, models, KeyForm(models: models), created: created)
            }
            form.problem = "This form has made its key already, which is shown no more. To make another, send it again."
        } catch {
            guard error.code == .refused else { throw error }
            form.problem = error.message
        }
        return try await keysPage(visit, models, form, status: .unprocessableContent)
    }

    /// - Returns: nil when the form has made a key before, which is shown no more.
    private func create(
        _ call: Auth.CreateKey, form token: String?, _ visit: Visit
    ) async throws(CallError) -> Auth.NewKey? {
        guard let token, 1...CreatedKeys.Form.longestToken ~= token.utf8.count,
            let session = sessionHash(of: visit.request)
        else { return try await authCall(call, for: visit) }
        return try await createdKeys.key(for: CreatedKeys.Form(token: token, session: session)) {
            [auth, id = visit.id] in
            do throws(CallError) {
                return .success(try await auth.call(call, request: id, timeout: Self.callTimeout))
            } catch {
                return .failure(error)
            }
        }
    }

    func revokeKey(_ visit: Visit) async throws -> Response {
        try await authCall(Auth.RevokeKey(user: visit.person.id, key: visit.keyID("id")), for: visit)
        return .redirect(to: "/keys")
    }

    /// None when the ledger cannot say.
    private func usableModels(_ visit: Visit) async -> [ModelName] {
        await balances(for: visit)?.models.map(\.model) ?? []
    }

    private func keysPage(
        _ visit: Visit, _ models: [ModelName], _ form: KeyForm, created: Auth.NewKey? = nil,
        status: HTTPResponse.Status = .ok
    ) async throws(CallError) -> Response {
        let keys = try await authCall(Auth.ListKeys(user: visit.person.id), for: visit)
        let model = created?.summary.models?.first ?? models.first ?? ModelName("MODEL")
        let content = KeysPage(
            form: form, table: KeyTable(keys, label: "Your keys") { "/keys/\($0)/revoke" }, secret: created?.secret,
            baseURL: origin.description + "/v1", model: model.rawValue,
            exampleKey: created?.secret ?? "sk-lumen-…")
        return page("keys", title: "API keys", content, for: visit, status: status)
    }
}

/// The reader's keys, and how to use one.
private struct KeysPage: Sendable {
    var form: KeyForm
    var table: KeyTable
    var secret: String?
    var baseURL: String
    var model: String
    /// What the examples use in place of a key.
    var exampleKey: String
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
