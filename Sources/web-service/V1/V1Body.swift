import HTTPTypes
import Hummingbird
import NIOCore
import SharedProtocol

/// Reads a request's body within the limits and parses it.
enum V1Body {
    static func read(_ request: Request, _ budget: BodyBudget) async throws(APIError) -> ModelRequest {
        if let type = request.headers[.contentType], !type.lowercased().hasPrefix("application/json") {
            throw APIError(
                status: 415, message: "The content type must be application/json.", type: "invalid_request_error",
                code: "unsupported_media_type")
        }
        let announced = request.headers[.contentLength].flatMap { Int($0) }
        if let announced, announced > BodyBudget.bodyLimit { throw tooLarge }
        // A body of unknown length may become as long as any.
        let room = announced ?? BodyBudget.bodyLimit
        guard budget.take(room) else { throw .unavailable("Too many large requests are being received.") }
        defer { budget.giveBack(room) }
        let body: ByteBuffer
        do {
            body = try await request.body.collect(upTo: BodyBudget.bodyLimit)
        } catch is NIOTooManyBytesError {
            throw tooLarge
        } catch {
            throw .invalidRequest("The body could not be read.")
        }
        guard body.readableBytes > longBody else { return try ModelRequest(json: body) }
        // Milliseconds of scanning: not on the thread that all other requests wait for.
        return try await withTaskExecutorPreference(globalConcurrentExecutor) { () throws(APIError) in
            try ModelRequest(json: body)
        }
    }

    /// Bodies beyond this are parsed off the event loop, in bytes.
    private static let longBody = 256 << 10

    private static let tooLarge = APIError(
        status: 413, message: "The body is longer than \(BodyBudget.bodyLimit >> 20) MiB.",
        type: "invalid_request_error", code: "request_too_large")
}
