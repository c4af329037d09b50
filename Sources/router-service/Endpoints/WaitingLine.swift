import NIOConcurrencyHelpers
import NIOCore
import SharedProtocol

/// Requests for one model that wait for room at an endpoint, first come first served.
struct WaitingLine {
    /// Requests that may wait; one more is refused.
    static let limit = 1024
    /// How long one may wait.
    static let patience = TimeAmount.seconds(10)

    struct Waiter {
        let id: UInt64
        let tried: [Endpoint]
        let deadline: NIODeadline
        let continuation: CheckedContinuation<EndpointDirectory.Selection, Never>
    }

    private(set) var waiters: [Waiter] = []

    var isEmpty: Bool { waiters.isEmpty }

    /// False when the line is too long.
    mutating func join(_ waiter: Waiter) -> Bool {
        guard waiters.count < Self.limit else { return false }
        waiters.append(waiter)
        return true
    }

    mutating func leave(_ id: UInt64) -> Waiter? {
        waiters.firstIndex { $0.id == id }.map { waiters.remove(at: $0) }
    }
}

extension EndpointDirectory {
    /// As `selectNow`, but waits behind those that came before while there is no room: until the deadline, and
    /// `WaitingLine.patience` at most. A cancelled task is answered `none` at once.
    func select(_ model: ModelName, excluding tried: [Endpoint], until deadline: NIODeadline) async -> Selection {
        if state.withLockedValue({ $0.lines[model] == nil }) {
            let selection = selectNow(model, excluding: tried)
            guard case .full = selection else { return selection }
        }
        return await wait(model, excluding: tried, until: min(deadline, .now() + WaitingLine.patience))
    }

    private func wait(_ model: ModelName, excluding tried: [Endpoint], until deadline: NIODeadline) async -> Selection {
        let id = UInt64.random(in: .min ... .max)
        return await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let waiter = WaitingLine.Waiter(id: id, tried: tried, deadline: deadline, continuation: continuation)
                let hasJoined = state.withLockedValue { $0.lines[model, default: WaitingLine()].join(waiter) }
                guard hasJoined else { return continuation.resume(returning: .tooBusy) }
                // What was released, or the task cancelled, before it stood in line.
                serveLine(model)
                if Task.isCancelled { leaveLine(model, id) }
            }
        } onCancel: {
            leaveLine(model, id)
        }
    }

    private func leaveLine(_ model: ModelName, _ id: UInt64) {
        state.withLockedValue { state in
            defer { if state.lines[model]?.isEmpty ?? false { state.lines[model] = nil } }
            return state.lines[model]?.leave(id)
        }?.continuation.resume(returning: .none)
    }

    /// Gives those in line what there is for them. Called when a request ends, and now and then, because time alone ends
    /// ejections, rests and patience.
    func serveLine(_ model: ModelName) {
        guard let waiters = state.withLockedValue({ $0.lines[model]?.waiters }) else { return }
        let now = NIODeadline.now()
        var isFullForAll = false
        for waiter in waiters where !isFullForAll || waiter.deadline <= now {
            // Whoever takes it out of the line answers it.
            var selection = isFullForAll ? .full : selectNow(model, excluding: waiter.tried)
            if case .full = selection {
                // What is full for one who has tried nothing is full for everyone behind.
                if waiter.tried.isEmpty { isFullForAll = true }
                guard waiter.deadline <= now else { continue }
                selection = .tooBusy
            }
            answer(waiter, in: model, selection)
        }
    }

    private func answer(_ waiter: WaitingLine.Waiter, in model: ModelName, _ selection: Selection) {
        let isOurs = state.withLockedValue { state in
            defer { if state.lines[model]?.isEmpty ?? false { state.lines[model] = nil } }
            return state.lines[model]?.leave(waiter.id) != nil
        }
        if isOurs {
            waiter.continuation.resume(returning: selection)
        } else if case .chosen(let choice) = selection {
            // Another thread was faster, or the caller left.
            choice.endpoint.record.release(choice.admission)
        }
    }

    func serveLines() {
        for model in state.withLockedValue({ Array($0.lines.keys) }) { serveLine(model) }
    }
}
