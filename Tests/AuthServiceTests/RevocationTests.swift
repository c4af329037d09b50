import NIOPosix
import SharedProtocol
import StorageTesting
import Testing

@testable import auth_service

@Suite(.bothEngines) struct RevocationTests {
    private let fixture: AuthFixture
    private let auth: RunningAuth

    init() async throws {
        fixture = try AuthFixture()
        auth = try await fixture.start()
    }

    private func follow() async throws -> EventStream<Done> {
        try await auth.caller.open(Auth.FollowRevocations(), body: nil, request: nil, timeout: .seconds(60))
    }

    /// The revisions of the events that came; none after the last one.
    private func next(_ stream: EventStream<Done>) async throws -> [Int64] {
        try await stream.next().map { try $0.decodeJSON(Auth.Revision.self).revision }
    }

    @Test func revisionIsSentAtOnceAndAgainWithoutAChange() async throws {
        let revision = try await auth.number("SELECT revision FROM revision")
        let stream = try await follow()
        #expect(try await next(stream).first == revision)
        #expect(try await next(stream).first == revision)
        stream.cancel()
    }

    @Test func changeReachesEveryFollower() async throws {
        let key = try await auth.createKey()
        let holder = try await auth.call(Auth.Authenticate(key: fixture.hash(ofKey: key.secret)))
        let streams = [try await follow(), try await follow()]
        for stream in streams { #expect(try await next(stream).first == holder.revision) }
        _ = try await auth.call(Auth.RevokeKey(user: holder.person.id, key: holder.key))
        for stream in streams {
            var last = holder.revision
            while last == holder.revision { last = try await next(stream).last ?? 0 }
            #expect(last == holder.revision + 1)
            stream.cancel()
        }
    }

    @Test func streamEndsWithItsReplyWhenCancelled() async throws {
        let stream = try await follow()
        _ = try await next(stream)
        stream.cancel()
        while try await !next(stream).isEmpty {}
        #expect(try stream.reply == Done())
    }

    /// Of two commits the later may report first.
    @Test func revisionNeverGoesBack() async throws {
        let feed = RevocationFeed(5, timers: MultiThreadedEventLoopGroup.singleton)
        feed.advance(to: 7)
        feed.advance(to: 6)
        var table = CallTable()
        table.onStream(Auth.FollowRevocations.self) { _, _, context, events throws(CallError) in
            try await feed.stream(to: events, until: context.deadline)
        }
        let stream = try await InProcessCaller(table)
            .open(Auth.FollowRevocations(), body: nil, request: nil, timeout: .seconds(60))
        #expect(try await next(stream).first == 7)
        stream.cancel()
    }
}
