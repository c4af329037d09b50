import Logging
import ServiceLifecycle
import SharedProtocol

/// Ends what runs under an account that was disabled, or a key that was revoked or has expired: within a second, wherever
/// that was done. After each revision that auth announces, auth is asked about those who have something running.
struct AccessWatch: ServiceLifecycle.Service {
    /// How often expiry is looked at, and what auth did not answer is asked again.
    static let interval = Duration.seconds(1)
    static let callTimeout = Duration.seconds(1)

    let running: RunningRequests
    let auth: any Caller
    var clock: @Sendable () -> Timestamp = Timestamp.now
    private static let log = Logger(label: "access")

    func run() async throws {
        await cancelWhenGracefulShutdown {
            await withDiscardingTaskGroup { group in
                group.addTask { for await _ in running.news { await endRevoked() } }
                group.addTask {
                    while (try? await Task.sleep(for: Self.interval)) != nil {
                        running.endExpired(at: clock())
                        await endRevoked()
                    }
                }
            }
        }
    }

    /// Asks until everything that runs is known to be allowed, or auth does not answer.
    func endRevoked() async {
        while case let requests = running.unconfirmed(), !requests.isEmpty {
            let ended: Auth.Ended
            do throws(CallError) {
                let call = Auth.FindEnded(
                    users: Array(Set(requests.map(\.user))), keys: Array(Set(requests.compactMap(\.key))))
                ended = try await auth.call(call, request: nil, timeout: Self.callTimeout)
            } catch {
                Self.log.warning("auth cannot say who was disabled", metadata: ["code": "\(error.code)"])
                return
            }
            // An answer that is no newer than what is known would be the same again.
            guard requests.allSatisfy({ $0.revision < ended.revision }) else { return }
            Self.end(requests, asIn: ended)
        }
    }

    private static func end(_ requests: [RunningRequest], asIn ended: Auth.Ended) {
        let (users, keys) = (Set(ended.users), Set(ended.keys))
        for request in requests {
            request.confirmed(at: ended.revision)
            if users.contains(request.user) {
                request.end(.accountDisabled)
            } else if let key = request.key, keys.contains(key) {
                request.end(.keyEnded)
            }
        }
    }
}
