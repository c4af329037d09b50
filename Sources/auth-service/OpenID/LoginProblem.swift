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

    /// An error code of another's, for the log: as it is when it looks like those of RFC 6749.
    static func errorCode(_ text: String) -> String {
        let isCode = 1...40 ~= text.utf8.count && text.utf8.allSatisfy { 0x61...0x7A ~= $0 || $0 == UInt8(ascii: "_") }
        return isCode ? text : "an error without a name"
    }
}
