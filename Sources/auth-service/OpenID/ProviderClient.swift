import HTTPClient
import NIOCore
import SharedProtocol

/// HTTP with a provider: small JSON documents, soon or not at all.
struct ProviderClient: Sendable {
    /// Longest document, in bytes.
    static let longestDocument = 256 * 1024
    /// A person waits for each of these.
    static let timeouts = HTTPTimeouts(
        connect: .seconds(3), firstByte: .seconds(5), idle: .seconds(5), total: .seconds(5))

    let http: HTTPClient

    struct Reply {
        var status: Int
        var body: ByteBuffer

        /// What a status means that nobody expected.
        var unexpected: Auth.LoginRefusal {
            status >= 500 || status == 429 ? .providerUnavailable : .providerUnusable
        }
    }

    /// A document that can only be there.
    ///
    /// - Parameter name: for the log.
    func document(_ name: String, at url: String, bearer: String? = nil) async throws(LoginProblem) -> ByteBuffer {
        let headers = bearer.map { [(name: "Authorization", value: "Bearer " + $0)] } ?? []
        let reply = try await send(
            name, HTTPRequest(url: url, headers: headers + Self.accepted, timeouts: Self.timeouts))
        guard reply.status == 200 else {
            throw LoginProblem(reply.unexpected, "\(name): status \(reply.status)")
        }
        return reply.body
    }

    /// Posts a form; whatever status is answered.
    func post(
        _ name: String, _ form: [(name: String, value: String)], to url: String,
        headers: [(name: String, value: String)]
    ) async throws(LoginProblem) -> Reply {
        let body = form.map { "\($0.name)=\($0.value.percentEncoded)" }.joined(separator: "&")
        let type = (name: "Content-Type", value: "application/x-www-form-urlencoded")
        return try await send(
            name,
            HTTPRequest(
                url: url, headers: headers + Self.accepted + [type], body: ByteBuffer(string: body),
                timeouts: Self.timeouts))
    }

    private static let accepted = [(name: "Accept", value: "application/json")]

    private func send(_ name: String, _ request: HTTPRequest) async throws(LoginProblem) -> Reply {
        do throws(HTTPClientError) {
            let response = try await http.send(request)
            return Reply(status: response.head.status, body: try await response.collect(upTo: Self.longestDocument))
        } catch {
            throw LoginProblem(Self.refusal(for: error), "\(name): \(error)")
        }
    }

    private static func refusal(for error: HTTPClientError) -> Auth.LoginRefusal {
        switch error {
        case .tooLong, .invalidResponse, .invalidRequest: .providerUnusable
        default: .providerUnavailable
        }
    }
}
