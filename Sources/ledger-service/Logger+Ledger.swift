import Logging
import SharedProtocol

/// One line for each request that ends here: who, which model, how many tokens.
extension Logger {
    func log(_ settlement: Settlement) {
        info(
            "posted",
            metadata: line(settlement.request, settlement.bill.account, settlement.bill.model).merging([
                "prompt": count(settlement.usage.prompt), "completion": count(settlement.usage.completion),
                "billed": count(settlement.receipt.billed), "written_off": count(settlement.receipt.writtenOff),
                "outcome": .string(settlement.usage.outcome.rawValue),
            ]) { $1 })
    }

    func log(voided request: RequestID, _ reservation: Reservation?) {
        guard let reservation else {
            return info("voided, though not reserved", metadata: ["request": .string(request.rawValue)])
        }
        info(
            "voided",
            metadata: line(request, reservation.bill.account, reservation.bill.model).merging([
                "reserved": count(reservation.grant.reserved)
            ]) { $1 })
    }

    func log(_ refusal: Ledger.Refusal, of call: Ledger.Reserve) {
        info(
            "refused",
            metadata: line(call.request, call.account, call.model).merging([
                "reason": .string(refusal.reason.rawValue), "remaining": count(refusal.remaining),
                "prompt_bound": count(call.promptBound), "prompt_estimate": count(call.promptEstimate),
                "output_limit": count(call.outputLimit),
            ]) { $1 })
    }

    private func line(_ request: RequestID, _ account: Ledger.Account, _ model: ModelName) -> Logger.Metadata {
        [
            "request": .string(request.rawValue), "user": .stringConvertible(account.user.rawValue),
            "model": .string(model.rawValue),
        ]
    }

    private func count(_ tokens: TokenCount) -> Logger.MetadataValue { .stringConvertible(tokens.rawValue) }
}
