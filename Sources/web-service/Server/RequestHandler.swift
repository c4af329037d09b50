import Glibc
import HTTPTypes
import Hummingbird
import HummingbirdCore
import Logging
import NIOConcurrencyHelpers
import NIOCore
import NIOHTTP1
import NIOHTTPTypes
import NIOHTTPTypesHTTP1
import SharedProtocol

/// What the HTTP server does with each connection.
final class RequestHandler<Responder: HTTPResponder>: ServerChildChannel where Responder.Context == WebContext {
    /// Idle keep-alive connections are closed after this.
    static var idleTimeout: Duration { .seconds(75) }
    /// In bytes.
    private static var firstReadSize: Int { 32 }

    private let responder: Responder
    private let presences: ClientPresences
    private let executor: EventLoopExecutor
    private let logger: Logger
    private let date = DateHeader()

    init(_ responder: Responder, _ presences: ClientPresences, on executor: EventLoopExecutor, logger: Logger) {
        self.responder = responder
        self.presences = presences
        self.executor = executor
        self.logger = logger
    }

    func setup(channel: any Channel, logger: Logger) -> EventLoopFuture<HTTPConnection> {
        var limits = NIOHTTPDecoderLimitConfiguration()
        limits.maxHeaderFieldSize = ExchangeHandler.fieldLimit
        limits.maxHeaderListSize = 64 << 10
        limits.maxHeaderFieldCount = 100
        return channel.eventLoop.makeCompletedFuture {
            try BriefReceiveBuffers.use(on: channel, firstSize: Self.firstReadSize)
            let connection = HTTPConnection(channel)
            let pipeline = channel.pipeline.syncOperations
            // Requests that come ahead of their time wait in the connection, which answers what is no HTTP; and header fields
            // are checked when they are made.
            try pipeline.configureHTTPServerPipeline(
                withPipeliningAssistance: false, withErrorHandling: false, withOutboundHeaderValidation: false,
                withEncoderConfiguration: HTTPResponseEncoder.Configuration(), withDecoderLimitConfiguration: limits)
            try pipeline.addHandler(HTTP1ToHTTPServerCodec(secure: false))
            try pipeline.addHandler(presences.watch())
            try pipeline.addHandler(HTTPConnectionStateHandler(idleTimeout: Self.idleTimeout, logger: logger))
            try pipeline.addHandler(connection)
            return connection
        }
    }

    func handle(value connection: HTTPConnection, logger: Logger) async {
        await withTaskCancellationHandler {
            await serve(connection)
            try? await connection.channel.closeFuture.get()
        } onCancel: {
            connection.channel.close(promise: nil)
        }
    }

    private func serve(_ connection: HTTPConnection) async {
        do {
            while let reply = try await answerNext(of: connection) {
                if let body = reply.rest { try await write(body, to: connection).value }
                if reply.isLast { break }
            }
            connection.finish()
        } catch is HTTPParserError {
            connection.refuse()
        } catch {
            connection.channel.close(promise: nil)
        }
    }

    /// What is still to be done for a request that was answered.
    private struct Reply {
        /// A body of unknown length.
        var rest: ResponseBody?
        /// The client wants the connection to be closed then.
        var isLast: Bool
    }

    /// Nil when there are no more requests.
    ///
    /// A task keeps the most memory that it ever took, and a reply may run for hours: so a request is answered in a task of its
    /// own, which is gone when a body of unknown length begins, and that is written in another.
    @inline(never)
    private func answerNext(of connection: HTTPConnection) async throws -> Reply? {
        guard let head = try await connection.nextHead() else { return nil }
        return try await Task(executorPreference: executor) { try await self.answer(head, on: connection) }.value
    }

    private func answer(_ head: HTTPRequest, on connection: HTTPConnection) async throws -> Reply {
        // A client with a large body waits to be asked for it (RFC 9110, 10.1.1): curl for a second, others for ever.
        if head.headerFields[.expect]?.lowercased() == "100-continue" {
            try await connection.write(.head(HTTPResponse(status: .continue)))
        }
        let isLast = head.headerFields[.connection] == "close"
        let response = try await respond(to: Request(head: head, body: connection.body()), on: connection.channel)
        try await connection.write(.head(response.head))
        if response.body.contentLength == nil { return Reply(rest: response.body, isLast: isLast) }
        try await response.body.write(HTTPConnection.BodyWriter(connection: connection))
        return Reply(isLast: isLast)
    }

    @inline(never)
    private func write(_ body: ResponseBody, to connection: HTTPConnection) -> Task<Void, any Error> {
        Task(executorPreference: executor) { try await body.write(HTTPConnection.BodyWriter(connection: connection)) }
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
