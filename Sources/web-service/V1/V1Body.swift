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

    /// - Parameter isDigested: whether the request named an idempotency key.
    static func read(
        _ request: Request, for operation: ModelRequest.Operation, isDigested: Bool, _ budget: BodyBudget
    ) async throws(APIError) -> Reading {
        if let type = request.headers[.contentType], !type.lowercased().hasPrefix("application/json") {
            throw APIError(
                status: 415, message: "The content type must be application/json.", type: "invalid_request_error",
                code: "unsupported_media_type")
        }
        let announced = request.headers[.contentLength].flatMap { Int($0) }
        if let announced, announced > BodyBudget.bodyLimit { throw tooLarge }
        // Taken as it arrives: a client that announces much and sends little holds little.
        var taken = 0
        defer { budget.giveBack(taken) }
        let body = try await collect(request.body, budget, &taken)
        guard body.readableBytes > longBody else { return try parse(body, operation, isDigested) }
        // Milliseconds of scanning: not on the thread that all other requests wait for.
        return try await withTaskExecutorPreference(globalConcurrentExecutor) { () throws(APIError) in
            try parse(body, operation, isDigested)
        }
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

    private static func collect(
        _ chunks: RequestBody, _ budget: BodyBudget, _ taken: inout Int
    ) async throws(APIError) -> ByteBuffer {
        var body = ByteBuffer()
        do {
            for try await chunk in chunks {
                guard taken + chunk.readableBytes <= BodyBudget.bodyLimit else { throw tooLarge }
                guard budget.take(chunk.readableBytes) else {
                    throw APIError.unavailable("Too many large requests are being received.")
                }
                taken += chunk.readableBytes
                body.writeImmutableBuffer(chunk)
            }
            return body
        } catch let error as APIError {
            throw error
        } catch {
            throw .invalidRequest("The body could not be read.")
        }
    }

    /// Bodies beyond this are parsed off the event loop, in bytes.
    private static let longBody = 256 << 10

    private static let tooLarge = APIError(
        status: 413, message: "The body is longer than \(BodyBudget.bodyLimit >> 20) MiB.",
        type: "invalid_request_error", code: "request_too_large")
}
