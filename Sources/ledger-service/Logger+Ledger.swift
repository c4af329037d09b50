import Logging
import SharedProtocol

/// One line for each request that ends here: who, which model, how many tokens.
extension Logger {
    func log(_ settlement: Settlement) {
        info(
            "posted",
            metadata: [
                "request_id": .string(settlement.request.rawValue), "user_id": .user(settlement.bill.account),
                "model": .string(settlement.bill.model.rawValue), "prompt": .tokens(settlement.usage.prompt),
                "completion": .tokens(settlement.usage.completion), "billed": .tokens(settlement.receipt.billed),
                "written_off": .tokens(settlement.receipt.writtenOff),
                "outcome": .string(settlement.usage.outcome.rawValue),
            ])
    }

    func log(voided request: RequestID, _ reservation: Reservation?) {
        guard let reservation else {
            return info("voided, though not reserved", metadata: ["request_id": .string(request.rawValue)])
        }
        info(
            "voided",
            metadata: [
                "request_id": .string(request.rawValue), "user_id": .user(reservation.bill.account),
                "model": .string(reservation.bill.model.rawValue), "reserved": .tokens(reservation.grant.reserved),
            ])
    }

    func log(_ refusal: Ledger.Refusal, of call: Ledger.Reserve) {
        info(
            "refused",
            metadata: [
                "request_id": .string(call.request.rawValue), "user_id": .user(call.account),
                "model": .string(call.model.rawValue), "reason": .string(refusal.reason.rawValue),
                "remaining": .tokens(refusal.remaining), "prompt_bound": .tokens(call.promptBound),
                "output_limit": .tokens(call.outputLimit),
            ])
    }
}

extension Logger.MetadataValue {
    fileprivate static func user(_ account: Ledger.Account) -> Self { .stringConvertible(account.user.rawValue) }
    fileprivate static func tokens(_ count: TokenCount) -> Self { .stringConvertible(count.rawValue) }
}
