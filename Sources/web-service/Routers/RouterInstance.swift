import Glibc
import NIOConcurrencyHelpers
import NIOCore
import SharedProtocol

/// One router as this web knows it: how much it has to do, and when it was last heard of.
final class RouterInstance: Sendable {
    private struct State {
        /// For how long nothing was heard of it. New routers are used at once; the first pings may take it back.
        var silence = TimeAmount.zero
        /// Until when the silence is counted.
        var lastPing = NIODeadline.now()
        var isDraining = false
        /// The pool's turn at which it was chosen last.
        var lastTurn: UInt64 = 0
        var nextTicket: UInt64 = 0
        var streams: [UInt64: Stream] = [:]
    }

    private struct Stream {
        /// Which of the limits of silence applies.
        var hasBegun = false
        /// What to do when the router falls silent; nil while the stream is being opened.
        var giveUp: (@Sendable () -> Void)?
    }

    /// How eligible a router is: the smaller the better.
    struct Rank: Comparable {
        let outstanding: Int
        let lastTurn: UInt64

        static func < (one: Rank, other: Rank) -> Bool {
            (one.outstanding, one.lastTurn) < (other.outstanding, other.lastTurn)
        }
    }

    let path: String
    let caller: any Caller
    private let state = NIOLockedValueBox(State())

    init(_ path: String, _ caller: any Caller) {
        self.path = path
        self.caller = caller
    }

    var outstanding: Int { state.withLockedValue { $0.streams.count } }

    /// nil when it takes no requests. Of two with as much to do, the one not chosen for longer comes first.
    var rank: Rank? {
        state.withLockedValue { state in
            guard !state.isDraining, state.silence < RouterPool.silenceLimit else { return nil }
            return Rank(outstanding: state.streams.count, lastTurn: state.lastTurn)
        }
    }

    /// It sent something: it lives, however long it takes to answer a ping.
    func heard() { state.withLockedValue { $0.silence = .zero } }

    /// It said that it takes no new requests.
    func drains() { state.withLockedValue { $0.isDraining = true } }

    /// Its socket is gone: what runs on it goes on, nothing new is begun.
    func leave() {
        drains()
        if outstanding == 0 { (caller as? CallClient)?.close() }
    }

    /// It was chosen for a request, which counts from now until `streamEnded`.
    func chosen(turn: UInt64) -> UInt64 {
        state.withLockedValue { state in
            state.lastTurn = turn
            state.nextTicket += 1
            state.streams[state.nextTicket] = Stream()
            return state.nextTicket
        }
    }

    func streamOpened(_ ticket: UInt64, giveUp: @escaping @Sendable () -> Void) {
        state.withLockedValue { $0.streams[ticket]?.giveUp = giveUp }
    }

    func streamBegan(_ ticket: UInt64) { state.withLockedValue { $0.streams[ticket]?.hasBegun = true } }

    func streamEnded(_ ticket: UInt64) { state.withLockedValue { _ = $0.streams.removeValue(forKey: ticket) } }

    /// Asks whether it lives; when it does not answer for too long, gives up what waits for it.
    func ping() async {
        let isAlive =
            (try? await caller.call(Instance.Status(), request: nil, timeout: RouterPool.pingTimeout)) != nil
        pinged(isAlive: isAlive, at: .now())
    }

    /// Counts the silence, and only as much of it as a ping takes: what is beyond that, this web was late itself.
    func pinged(isAlive: Bool, at now: NIODeadline) {
        let silence = state.withLockedValue { state in
            let passed = min(now - state.lastPing, RouterPool.pingPeriod)
            state.lastPing = now
            state.silence = isAlive ? .zero : state.silence + passed
            return state.silence
        }
        giveUp(after: silence)
    }

    /// Gives up what waits for a router that was silent for so long.
    func giveUp(after silence: TimeAmount) {
        let lost = state.withLockedValue { state in
            state.streams.values.filter {
                silence > ($0.hasBegun ? RouterPool.deathLimit : RouterPool.silenceLimit)
            }
        }
        for stream in lost { stream.giveUp?() }
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
