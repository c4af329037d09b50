import SharedProtocol

/// One call as it goes into a transaction of a `SharedLedger`.
enum SharedOperation: Sendable {
    case reserve(Ledger.Reserve, mayWait: Bool)
    case post(Ledger.Post)
    case void(RequestID)
    case renew(Ledger.Renew)
    case reset(Ledger.Reset.Target)

    enum Outcome: Sendable {
        case decided(Book.ReserveOutcome)
        case billed(Result<Ledger.Receipt, CallError>)
        case voided(Result<Reservation?, CallError>)
        case done(CallError?)

        static func failed(_ operation: SharedOperation, _ error: CallError) -> Outcome {
            switch operation {
            case .reserve: .decided(.failed(error))
            case .post: .billed(.failure(error))
            case .void: .voided(.failure(error))
            case .renew, .reset: .done(error)
            }
        }
    }

    /// The request whose reservation it is about.
    var request: RequestID? {
        switch self {
        case .reserve(let call, _): call.request
        case .post(let post): post.request
        case .void(let request): request
        case .renew, .reset: nil
        }
    }
}
