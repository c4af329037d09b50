import HTTPTypes
import NIOConcurrencyHelpers
import NIOCore
import SharedProtocol
import Testing

@testable import web_service

/// Failed authentications are limited per client address.
@Suite struct AddressLimitTests {
    private let asked = NIOLockedValueBox(0)
    private let attacker = IPAddress("192.0.2.1")

    @Test func strangersAreRefusedWithoutAskingAuthAndKnownKeysPass() async throws {
        let identities = try identities()
        _ = try await identities.holder(of: "good", request: .random(), from: { attacker })
        for _ in 0..<20 { #expect(await error(identities, "bad", attacker) == .invalidKey) }
        let before = asked.withLockedValue { $0 }
        for key in ["bad", "other"] {
            let refused = await error(identities, key, attacker)
            #expect(refused?.code == "rate_limit_exceeded")
            #expect(refused?.status == 429)
            #expect((59...60).contains(refused?.retryAfter ?? 0))
        }
        #expect(identities.refuse(attacker).code == "rate_limit_exceeded")
        #expect(asked.withLockedValue { $0 } == before)
        let holder = try await identities.holder(of: "good", request: .random(), from: { attacker })
        #expect(holder.key == KeyID(1))
        #expect(await error(identities, "bad", IPAddress("192.0.2.2")) == .invalidKey)
    }

    @Test func successesDoNotCount() async throws {
        let identities = try identities()
        for _ in 0..<100 { _ = try await identities.holder(of: "good", request: .random(), from: { attacker }) }
        #expect(await error(identities, "bad", attacker) == .invalidKey)
    }

    @Test func aNetworkOfIPv6CountsAsOneAddress() {
        let limiter = AddressLimiter { [RateLimit(count: 1, windowSeconds: 60)] }
        limiter.failed(from: IPAddress("2001:db8:1:2:3::4"))
        #expect(limiter.refusal(for: IPAddress("2001:db8:1:2:ffff::1")) == 60)
        #expect(limiter.refusal(for: IPAddress("2001:db8:1:3::1")) == nil)
        #expect(limiter.refusal(for: nil) == nil)
        limiter.failed(from: IPAddress("::ffff:192.0.2.1"))
        #expect(limiter.refusal(for: IPAddress("192.0.2.1")) == 60)
        #expect(limiter.refusal(for: IPAddress("192.0.2.2")) == nil)
    }

    @Test func memoryIsBounded() {
        var windows = FixedWindows<Int>(capacity: 100)
        let limits = [RateLimit(count: 1, windowSeconds: 60)]
        for subject in 0..<1_000 {
            windows.count(subject, limits, at: .uptimeNanoseconds(UInt64(subject)))
            #expect(windows.count <= 100)
        }
        #expect(windows.standing(of: 999, limits, at: .uptimeNanoseconds(1_000)).isRefused)
        #expect(!windows.standing(of: 0, limits, at: .uptimeNanoseconds(1_000)).isRefused)
    }

    @Test(
        arguments: [
            ("203.0.113.9", ["1.1.1.1"], "203.0.113.9"),
            ("127.0.0.1", [], "127.0.0.1"),
            ("127.0.0.1", ["1.1.1.1"], "1.1.1.1"),
            ("127.0.0.1", ["9.9.9.9, 1.1.1.1"], "1.1.1.1"),
            ("127.0.0.1", ["9.9.9.9, 1.1.1.1", "10.0.0.1"], "1.1.1.1"),
            ("127.0.0.1", ["1.1.1.1:4711 ,10.1.2.3"], "1.1.1.1"),
            ("127.0.0.1", ["[2001:db8::1]:4711"], "2001:db8::1"),
            ("127.0.0.1", ["2001:db8::1"], "2001:db8::1"),
            ("127.0.0.1", ["1.1.1.1, unknown, 10.0.0.1"], "10.0.0.1"),
            ("127.0.0.1", ["10.0.0.2, 10.0.0.1"], "10.0.0.2"),
            ("127.0.0.1", [""], "127.0.0.1"),
        ] as [(String, [String], String)])
    func onlyTrustedProxiesSayWhereARequestComesFrom(_ peer: String, _ hops: [String], _ client: String) throws {
        var headers = HTTPFields()
        headers[values: .forwardedFor] = hops
        let trusted = ["127.0.0.1", "10.0.0.0/8"].compactMap { AddressRange($0) }
        let found = IPAddress.client(
            peer: try SocketAddress(ipAddress: peer, port: 1), headers: headers, trusted: trusted)
        #expect(found == IPAddress(client))
    }

    private func identities() throws -> Identities {
        let configuration = try TestConfiguration.watcher()
        let good = CredentialHash(of: "good", under: configuration.current.app.encryptionKey.reveal())
        var auth = CallTable()
        auth.on(Auth.Authenticate.self) { [asked] call, _ throws(CallError) in
            asked.withLockedValue { $0 += 1 }
            if call.key != good { throw CallError(.unauthenticated, "no") }
            return Auth.KeyHolder(person: .ada, key: KeyID(1), revision: 1)
        }
        let failures = AddressLimiter { configuration.current.api.failedAuthLimit }
        return Identities(auth: InProcessCaller(auth), configuration: configuration, failures: failures)
    }

    private func error(_ identities: Identities, _ key: String, _ client: IPAddress?) async -> APIError? {
        do throws(APIError) {
            _ = try await identities.holder(of: key, request: .random(), from: { client })
            return nil
        } catch {
            return error
        }
    }
}
