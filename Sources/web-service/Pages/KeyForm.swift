import SharedProtocol

/// What somebody asks for when they make a key, as a form sends it.
struct KeyInput: Decodable {
    var name: String
    var cap: String?
    var lastDay: String?
    var models: [String]?
    /// The form's token; absent when a program sends it.
    var form: String?

    private enum CodingKeys: String, CodingKey {
        case name, cap, models, form
        case lastDay = "last_day"
    }
}

/// The form in which somebody makes a key: what is in its fields, and what is wrong with it.
struct KeyForm: Sendable {
    /// Good for one key.
    let token = RandomText.base32(16)
    var nameField = FormField()
    var capField = FormField()
    var lastDayField = FormField()
    /// The models that a key can be kept to.
    var choices: [Choice]
    var hasChoices: Bool
    var modelsComplaint: String?
    private(set) var hasProblems = false
    /// The first day that a key can end on.
    var today: String
    /// What is wrong with the whole.
    var problem: String?
    /// What the key may do, unless a field is wrong.
    private(set) var cap: TokenCount?
    private(set) var expires: Timestamp?
    private(set) var only: [ModelName]?

    struct Choice: Sendable {
        var model: String
        var isChosen: Bool
    }

    /// A fresh form.
    ///
    /// - Parameter models: those that the reader may use.
    init(models: [ModelName], now: Timestamp = .now()) {
        choices = models.map { Choice(model: $0.rawValue, isChosen: false) }
        hasChoices = !models.isEmpty
        today = CalendarDay(now).rawValue
    }

    init(_ input: KeyInput, models: [ModelName], now: Timestamp = .now()) {
        self.init(models: models, now: now)
        nameField.text = input.name
        do throws(CallError) {
            _ = try input.name.named("A key's name")
        } catch {
            nameField.complaint = error.message
        }
        readCap(input.cap ?? "")
        readLastDay(input.lastDay ?? "", now)
        readModels(input.models ?? [])
        let complaints = [nameField.complaint, capField.complaint, lastDayField.complaint, modelsComplaint]
        hasProblems = complaints.contains { $0 != nil }
    }

    /// Blanks between the digits are how people write large numbers.
    private mutating func readCap(_ typed: String) {
        capField.text = String(typed.prefix(100))
        let digits = typed.filter { !$0.isWhitespace }
        if digits.isEmpty { return }
        if digits.utf8.allSatisfy({ 48...57 ~= $0 }), let tokens = Int64(digits),
            1...Budget.mostTokens.rawValue ~= tokens
        {
            cap = TokenCount(tokens)
        } else {
            capField.complaint = "A whole number from 1 to \(Budget.mostTokens.grouped), written in digits."
        }
    }

    /// A key works through the whole of its last day.
    private mutating func readLastDay(_ typed: String, _ now: Timestamp) {
        lastDayField.text = String(typed.prefix(100))
        if typed.isEmpty { return }
        guard let end = CalendarDay.end(ofTyped: typed) else {
            lastDayField.complaint = "A day is written as “\(today)”."
            return
        }
        if end > now { expires = end } else { lastDayField.complaint = "That day is over." }
    }

    private mutating func readModels(_ chosen: [String]) {
        if chosen.isEmpty { return }
        let chosenModels = Set(chosen)
        for index in choices.indices { choices[index].isChosen = chosenModels.contains(choices[index].model) }
        only = choices.filter(\.isChosen).map { ModelName($0.model) }
        if only?.count != chosenModels.count {
            modelsComplaint = "One of these models cannot be used at the moment. Choose again."
        } else if chosenModels.count > Auth.CreateKey.mostModels {
            modelsComplaint = "A key can be kept to at most \(Auth.CreateKey.mostModels) models."
        }
    }
}
