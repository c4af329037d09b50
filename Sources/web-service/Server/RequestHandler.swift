import Glibc
import HTTPTypes
import Hummingbird
import HummingbirdCore
import Logging
import NIOConcurrencyHelpers
import NIOCore
import NIOHTTP1
import SharedProtocol

/// What the HTTP server does with each request of a connection.
struct RequestHandler<Responder: HTTPResponder>: Sendable where Responder.Context == WebContext {
    private let responder: Responder
    private let executor: EventLoopExecutor
    private let logger: Logger
    private let date = DateHeader()

    init(_ responder: Responder, on executor: EventLoopExecutor, logger: Logger) {
        self.responder = responder
        self.executor = executor
        self.logger = logger
    }

    func handle(_ request: Request, _ writer: consuming ResponseWriter, _ channel: any Channel) async throws {
        // A client with a large body waits to be asked for it (RFC 9110, 10.1.1): curl for a second, others for ever.
        if request.headers[.expect]?.lowercased() == "100-continue" {
            try await writer.writeInformationalHead(HTTPResponse(status: .continue))
        }
        // In a task of its own, whose memory goes when the reply begins: a connection's task keeps the most that it ever took,
        // and a stream may last for hours.
        let response = try await Task(executorPreference: executor) { try await respond(to: request, on: channel) }
            .value
        do {
            try await writer.write(response: response.head, body: response.body)
        } catch is HTTPParserError {
            // The library would answer that one with a 400, in the middle of this reply.
            throw RequestBroken()
        }
    }

    private func respond(to request: Request, on channel: any Channel) async throws -> Response {
        let context = WebContext(source: ApplicationRequestContextSource(channel: channel, logger: logger))
        var response: Response
        do {
            response = try await responder.respond(to: request, context: context)
        } catch let error as HTTPParserError {
            throw error
        } catch {
            logger.error("a request was not answered: \(error)", metadata: ["request_id": "\(context.request)"])
            response = Response(status: .internalServerError)
        }
        response.headers[.date] = date.now
        return request.method == .head ? response.createHeadResponse() : response
    }

    /// The request that is being answered turned out to be no HTTP.
    private struct RequestBroken: Error {}
}

/// The value of the header `Date` (RFC 9110, 5.6.7), made once a second.
final class DateHeader: Sendable {
    private let last = NIOLockedValueBox<(second: time_t, text: String)>((0, ""))

    var now: String {
        let second = time(nil)
        return last.withLockedValue { last in
            if last.second != second { last = (second, Self.text(of: second)) }
            return last.text
        }
    }

    /// - Parameter second: since 1970.
    static func text(of second: time_t) -> String {
        var second = second
        var fields = tm()
        gmtime_r(&second, &fields)
        return withUnsafeTemporaryAllocation(of: CChar.self, capacity: 32) { text in
            // In the locale C, which every process starts in, the names are English.
            let count = strftime(text.baseAddress, text.count, "%a, %d %b %Y %H:%M:%S GMT", &fields)
            return String(decoding: text.prefix(count).map { UInt8(bitPattern: $0) }, as: UTF8.self)
        }
    }
}
