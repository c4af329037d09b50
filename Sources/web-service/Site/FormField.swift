/// A field of a form: what was typed, and what is wrong with it.
struct FormField: Sendable {
    var text = ""
    var complaint: String?
}
