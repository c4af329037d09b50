/// Why a command cannot do what it was asked for, in a sentence for the operator.
struct OperatorError: Error, CustomStringConvertible {
    let description: String
    init(_ description: String) { self.description = description }
}
