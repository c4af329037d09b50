import SharedProtocol

/// Why a login ends without a session.
struct LoginProblem: Error, Hashable {
    let refusal: Auth.LoginRefusal
    /// For the operator's log: no token, code, state or secret, and nothing of a person.
    let detail: String

    init(_ refusal: Auth.LoginRefusal, _ detail: String) {
        self.refusal = refusal
        self.detail = detail
    }
}
