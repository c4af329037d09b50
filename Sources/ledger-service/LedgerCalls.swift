import Logging
import SharedProtocol
import Storage

/// What the ledger answers, call by call.
struct LedgerCalls: Sendable {
    let engine: any LedgerEngine
    let database: ServiceDatabase
    let logger: Logger

    var table: CallTable {
        var table = CallTable()
        table.on(Ledger.Reserve.self) { call, _ throws(CallError) in
            let decision = try await engine.reserve(call)
            if case .refused(let refusal) = decision { logger.log(refusal, of: call) }
            return decision
        }
        table.on(Ledger.Post.self) { call, _ throws(CallError) in try await engine.post(call) }
        table.on(Ledger.Void.self) { call, _ throws(CallError) in
            logger.log(voided: call.request, try await engine.void(call.request))
            return Done()
        }
        table.on(Ledger.Assert.self) { call, _ throws(CallError) in
            try await engine.assert(call)
            return Done()
        }
        table.on(Ledger.Renew.self) { call, _ throws(CallError) in
            try await engine.renew(call)
            return Done()
        }
        addReading(to: &table)
        addAdministration(to: &table)
        return table
    }

    private func addReading(to table: inout CallTable) {
        table.on(Ledger.Balances.self) { call, _ throws(CallError) in try await engine.balances(of: call.account) }
        table.on(Ledger.GroupBudgets.self) { _, _ throws(CallError) in try await engine.groupBudgets() }
        table.on(Ledger.Overrides.self) { call, _ throws(CallError) in try await engine.overrides(of: call.user) }
        table.on(Ledger.Events.self) { call, _ throws(CallError) in
            try require(1...200 ~= call.limit, "limit is between 1 and 200.")
            return try await database.read { connection in
                try UsageEventStore.page(call, connection)
            }
        }
        table.on(Ledger.Report.self) { call, _ throws(CallError) in
            try require(0...10_000 ~= call.users, "users is between 0 and 10,000.")
            return try await database.read { try UsageReports.report(call, $0) }
        }
        table.on(Ledger.Verify.self) { _, _ throws(CallError) in
            try await engine.save()
            return try await database.read(isLong: true, Verifier.verify)
        }
    }

    private func addAdministration(to table: inout CallTable) {
        table.on(Ledger.SetOverride.self) { call, _ throws(CallError) in
            try requireWithinLimits(call.budget)
            try require(Self.poolNameBytes ~= call.pool.utf8.count, "A pool's name has 1 to 200 bytes.")
            try await engine.setOverride(call)
            return Done()
        }
        table.on(Ledger.SetGroupBudget.self) { call, _ throws(CallError) in
            try requireWithinLimits(call.budget)
            try require(1...100 ~= call.group.rawValue.utf8.count, "A group's name has 1 to 100 bytes.")
            let pool = PoolName(call.entry)
            try require(Self.poolNameBytes ~= pool.rawValue.utf8.count, "A model's name has 1 to 200 bytes.")
            try require(pool.groupEntry == call.entry, "No model has this name.")
            try await engine.setGroupBudget(call)
            return Done()
        }
        table.on(Ledger.Reset.self) { call, _ throws(CallError) in
            try await engine.reset(call.target)
            return Done()
        }
    }

    /// How long a pool's name may be, in bytes.
    private static let poolNameBytes = 1...200

    private func requireWithinLimits(_ budget: Budget?) throws(CallError) {
        try require(budget?.isWithinLimits ?? true, "A budget's numbers are out of range.")
    }

    private func require(_ isValid: Bool, _ sentence: String) throws(CallError) {
        if !isValid { throw CallError(.invalidParams, sentence) }
    }
}
