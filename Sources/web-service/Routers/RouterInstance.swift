import Glibc
import NIOConcurrencyHelpers
import NIOCore
import SharedProtocol

/// One router as this web knows it: how much it has to do, and when it was last heard of.
final class RouterInstance: Sendable {
    private struct State {
        /// New routers are used at once; the first ping may take it back.
        var lastHeard = NIODeadline.now()
        var isDraining = false
        var nextStream: UInt64 = 0
        /// What to do when the router falls silent; `hasBegun` tells which limit applies.
        var streams: [UInt64: (hasBegun: Bool, giveUp: @Sendable () -> Void)] = [:]
    }

    let path: String
    let caller: any Caller
    private let state = NIOLockedValueBox(State())

    init(_ path: String, _ caller: any Caller) {
        self.path = path
        self.caller = caller
    }

    var outstanding: Int { state.withLockedValue { $0.streams.count } }

    func isUsable(_ now: NIODeadline) -> Bool {
        state.withLockedValue { !$0.isDraining && now - $0.lastHeard < RouterPool.silenceLimit }
    }

    /// It said that it takes no new requests.
    func drains() { state.withLockedValue { $0.isDraining = true } }

    /// Its socket is gone: what runs on it goes on, nothing new is begun.
    func leave() {
        drains()
        if outstanding == 0 { (caller as? CallClient)?.close() }
    }

    func streamOpened(_ giveUp: @escaping @Sendable () -> Void) -> UInt64 {
        state.withLockedValue { state in
            state.nextStream += 1
            state.streams[state.nextStream] = (false, giveUp)
            return state.nextStream
        }
    }

    func streamBegan(_ id: UInt64) { state.withLockedValue { $0.streams[id]?.hasBegun = true } }

    func streamEnded(_ id: UInt64) { state.withLockedValue { _ = $0.streams.removeValue(forKey: id) } }

    /// Asks whether it lives; when it does not answer for too long, gives up what waits for it.
    func ping() async {
        let isAlive =
            (try? await caller.call(Instance.Status(), request: nil, timeout: RouterPool.pingTimeout)) != nil
        let now = NIODeadline.now()
        let lost = state.withLockedValue { state -> [@Sendable () -> Void] in
            if isAlive { state.lastHeard = now }
            let silence = now - state.lastHeard
            return state.streams.values.compactMap { stream in
                silence > (stream.hasBegun ? RouterPool.deathLimit : RouterPool.silenceLimit) ? stream.giveUp : nil
            }
        }
        for giveUp in lost { giveUp() }
    }
}

enum DirectoryListing {
    /// The names in a folder; none when it cannot be read. For folders of a few files: it blocks for microseconds.
    static func names(in folder: String) -> [String] {
        guard let directory = opendir(folder) else { return [] }
        defer { closedir(directory) }
        var names: [String] = []
        while let entry = readdir(directory) {
            names.append(
                withUnsafeBytes(of: &entry.pointee.d_name) { name in
                    String(decoding: name.prefix { $0 != 0 }, as: UTF8.self)
                })
        }
        return names
    }
}
