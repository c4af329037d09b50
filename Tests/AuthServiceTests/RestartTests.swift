import SharedProtocol
import Storage
import StorageTesting
import Testing

@testable import auth_service

/// What was answered is there after the service was stopped and started on the same file.
@Suite(.bothEngines) struct RestartTests {
    @Test func usersKeysSessionsAndTheRevisionSurvive() async throws {
        let fixture = try AuthFixture()
        let (kept, revoked, session, revision) = try await before(fixture)
        let auth = try await fixture.start()
        let holder = try await auth.call(Auth.Authenticate(key: fixture.hash(ofKey: kept.secret)))
        #expect(holder.key == kept.summary.id)
        // The file's groups may have changed meanwhile: what was read before is to be read again.
        #expect(holder.revision > revision)
        #expect(await auth.failure(Auth.Authenticate(key: fixture.hash(ofKey: revoked.secret))) == .unauthenticated)
        let resumed = try await auth.call(Auth.ResumeSession(session: fixture.hash(ofSession: session.secret)))
        #expect(resumed.person == session.person)
        let new = try await auth.createKey()
        #expect(![kept.summary.id, revoked.summary.id].contains(new.summary.id))
    }

    /// Its end frees the file for the next one.
    private func before(
        _ fixture: AuthFixture
    ) async throws -> (kept: Auth.NewKey, revoked: Auth.NewKey, session: Auth.OpenedSession, revision: Int64) {
        let auth = try await fixture.start()
        let kept = try await auth.createKey(name: "kept")
        let revoked = try await auth.createKey(name: "revoked")
        let session = try await auth.call(Auth.DevLogin())
        let user = try await auth.call(Auth.Authenticate(key: fixture.hash(ofKey: kept.secret))).person.id
        _ = try await auth.call(Auth.RevokeKey(user: user, key: revoked.summary.id))
        let revision = try await auth.call(Auth.Authenticate(key: fixture.hash(ofKey: kept.secret))).revision
        return (kept, revoked, session, revision)
    }

    @Test func secondInstanceOnTheSameFileIsRefused() async throws {
        let fixture = try AuthFixture()
        guard fixture.database.engine == .sqlite else { return }
        let auth = try await fixture.start()
        await #expect {
            _ = try await fixture.start()
        } throws: {
            "\($0)".contains("in use by another process")
        }
        _ = try await auth.createKey()
    }

    /// On PostgreSQL there may be several: what one takes away, the others hear of.
    @Test func otherInstancesHearOfARevocation() async throws {
        let fixture = try AuthFixture()
        guard fixture.database.engine == .postgres else { return }
        let (one, other) = (try await fixture.start(), try await fixture.start())
        let key = try await one.createKey()
        let holder = try await other.call(Auth.Authenticate(key: fixture.hash(ofKey: key.secret)))
        let stream = try await other.caller.open(
            Auth.FollowRevocations(), body: nil, request: nil, timeout: .seconds(60))
        _ = try await one.call(Auth.RevokeKey(user: holder.person.id, key: holder.key))
        await other.calls.follower?.follow()
        var revision: Int64 = 0
        while revision <= holder.revision {
            revision = try await stream.next().map { try $0.decodeJSON(Auth.Revision.self).revision }.last ?? .max
        }
        #expect(revision == holder.revision + 1)
        stream.cancel()
    }

    /// Its tables had names that PostgreSQL keeps to itself.
    @Test func databaseOfTheFirstReleaseIsTakenOver() async throws {
        let fixture = try AuthFixture()
        guard fixture.database.engine == .sqlite else { return }
        let hash = fixture.hash(ofKey: "sk-lumen-old")
        try await fixture.database.open(.auth, Array(Schema.migrations.prefix(1))).write { connection in
            try connection.script("INSERT INTO user (email, name, created) VALUES ('ann@example.edu', 'ann', 1)")
            try connection.execute(
                "INSERT INTO api_key (user, hash, name, hint, created) VALUES (1, ?, 'n', 'h', 1)", [hash.rawValue])
        }
        let auth = try await fixture.start()
        #expect(try await auth.call(Auth.Authenticate(key: hash)).person.email == "ann@example.edu")
        #expect(try await auth.number("SELECT count(*) FROM pragma_foreign_key_check") == 0)
    }
}
