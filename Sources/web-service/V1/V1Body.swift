import Crypto
import HTTPTypes
import Hummingbird
import NIOCore
import SharedProtocol

/// Reads a request's body within the limits and parses it.
enum V1Body {
    /// A request, and what tells it from another under the same idempotency key.
    struct Reading: Sendable {
        var request: ModelRequest
        var digest: IdempotencyKeys.Digest?
    }

    /// - Parameters:
    ///   - isDigested: whether the request named an idempotency key.
    ///   - hasBegun: set as soon as the body is touched; it can be read only once.
    static func read(
        _ request: Request, for operation: ModelRequest.Operation, isDigested: Bool, _ budget: BodyBudget,
        _ hasBegun: inout Bool
    ) async throws(APIError) -> Reading {
        try checkMediaType(request.headers)
        let announced = request.headers[.contentLength].flatMap { Int($0) }
        if let announced, announced > BodyBudget.bodyLimit { throw tooLarge }
        // Taken as it arrives: a client that announces much and sends little holds little.
        var taken = 0
        defer { budget.giveBack(taken) }
        hasBegun = true
        let body = try await collect(request.body, budget, &taken)
        guard body.readableBytes > longBody else { return try parse(body, operation, isDigested) }
        // Milliseconds of scanning: not on the thread that all other requests wait for.
        return try await withTaskExecutorPreference(globalConcurrentExecutor) { () throws(APIError) in
            try parse(body, operation, isDigested)
        }
    }

    private static func checkMediaType(_ headers: HTTPFields) throws(APIError) {
        let type = headers[.contentType].map { $0.prefix { !"; \t".contains($0) }.lowercased() }
        let encoding = headers[.contentEncoding]?.lowercased()
        if type ?? "application/json" == "application/json", encoding ?? "identity" == "identity" { return }
        throw APIError(
            status: 415, message: "The content type must be application/json, without a content encoding.",
            type: "invalid_request_error", code: "unsupported_media_type")
    }

    private static func parse(
        _ body: ByteBuffer, _ operation: ModelRequest.Operation, _ isDigested: Bool
    ) throws(APIError) -> Reading {
        Reading(
            request: try ModelRequest(json: body, for: operation),
            digest: isDigested ? digest(of: body, operation) : nil)
    }

    private static func digest(of body: ByteBuffer, _ operation: ModelRequest.Operation) -> IdempotencyKeys.Digest {
        var hash = SHA256()
        hash.update(data: Array("\(operation)\n".utf8))
        body.withUnsafeReadableBytes { hash.update(bufferPointer: $0) }
        return hash.finalize()
    }

    /// What is refused is read on to its end all the same: a client that sends does not read, and would never see why.
    private static func collect(
        _ chunks: RequestBody, _ budget: BodyBudget, _ taken: inout Int
    ) async throws(APIError) -> ByteBuffer {
        var body = ByteBuffer()
        var refusal: APIError?
        var discarded = 0
        do {
            for try await chunk in chunks {
                if refusal == nil { refusal = take(chunk, budget, &taken, &body) }
                guard let refusal else { continue }
                discarded += chunk.readableBytes
                if discarded > discardLimit { throw refusal }
            }
        } catch {
            throw refusal ?? .invalidRequest("The body could not be read.")
        }
        if let refusal { throw refusal }
        return body
    }

    /// Why no more of the body is taken; nil: it was.
    private static func take(
        _ chunk: ByteBuffer, _ budget: BodyBudget, _ taken: inout Int, _ body: inout ByteBuffer
    ) -> APIError? {
        var refusal: APIError?
        if taken + chunk.readableBytes > BodyBudget.bodyLimit {
            refusal = tooLarge
        } else if !budget.take(chunk.readableBytes) {
            refusal = .unavailable("Too many large requests are being received.")
        }
        guard refusal == nil else {
            body = ByteBuffer()
            return refusal
        }
        taken += chunk.readableBytes
        body.writeImmutableBuffer(chunk)
        return nil
    }

    /// Reads what nobody wants of a request that was answered early: a client that is still sending would see neither the
    /// answer nor the end of the connection. Closes it when there is too much.
    static func discard(_ chunks: RequestBody, of channel: any Channel) async {
        var discarded = 0
        do {
            for try await chunk in chunks {
                discarded += chunk.readableBytes
                if discarded > discardLimit { return channel.close(promise: nil) }
            }
        } catch {
            // The client has left.
        }
    }

    /// Of a refused body, in bytes; a client that sends even more is cut.
    static let discardLimit = 64 << 20

    /// Bodies beyond this are parsed off the event loop, in bytes.
    private static let longBody = 256 << 10

    private static let tooLarge = APIError(
        status: 413, message: "The body is longer than \(BodyBudget.bodyLimit >> 20) MiB.",
        type: "invalid_request_error", code: "request_too_large")
}
