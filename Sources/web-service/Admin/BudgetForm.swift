import HTTPTypes
import SharedProtocol

/// A budget for a pool as a form sends it.
struct BudgetInput: Decodable {
    var pool: String
    var max: String?
    /// Present when the box is ticked.
    var unlimited: String?
    var refresh: String?
    var starting: String?
}

/// The form in which an admin gives a user or a group a budget: what is in its fields, and what is wrong with it.
struct BudgetForm: Sendable {
    var pool: String
    var pools: [Choice]
    var isUnlimited = false
    var maxField: Field
    var refreshField: Field
    var startingField: Field
    /// Nil unless all fields are right.
    var budget: Budget?
    /// What is wrong with the pool.
    var poolProblem: String?
    /// What is wrong with the whole.
    var problem: String?
    var hasProblems: Bool

    /// Bytes of a model's or group's name that is taken from a form; theirs are shorter.
    static let longestName = 1_000

    struct Choice: Sendable {
        var name: String
        var label: String
        var isChosen: Bool
    }

    struct Field: Sendable {
        var text: String
        var complaint: String?
    }

    /// - Parameter pools: what there can be a budget for.
    init(_ input: BudgetInput, pools names: [String]) {
        pool = input.pool
        pools = Self.choices(names, chosen: input.pool)
        isUnlimited = input.unlimited != nil
        poolProblem = names.contains(input.pool) ? nil : "There is no such model."
        let max = Number(input.max, upTo: Budget.mostTokens)
        let refresh = Number(input.refresh, upTo: Budget.mostRefresh)
        let starting = Number(input.starting, upTo: Budget.mostTokens)
        maxField = Field(text: max.text, complaint: max.complaint)
        refreshField = Field(text: refresh.text, complaint: refresh.complaint)
        startingField = Field(text: starting.text, complaint: starting.complaint)
        if isUnlimited {
            let contradiction = "Leave this empty, or untick “No limit”."
            if !max.text.isEmpty { maxField.complaint = contradiction }
            if !starting.text.isEmpty { startingField.complaint = contradiction }
        } else {
            if max.text.isEmpty { maxField.complaint = "Say how many tokens the pool can hold, or tick “No limit”." }
            if let most = max.count, let first = starting.count, first > most {
                startingField.complaint = "That is more than the pool can hold."
            }
        }
        let complaints = [poolProblem, maxField.complaint, refreshField.complaint, startingField.complaint]
        hasProblems = complaints.contains { $0 != nil }
        if hasProblems { return }
        if isUnlimited {
            budget = Budget(max: .unlimited, refresh: refresh.count ?? 0, starting: 0)
        } else if let most = max.count {
            budget = Budget(max: .tokens(most), refresh: refresh.count ?? 0, starting: starting.count ?? most)
        }
    }

    /// A fresh form, or one with a budget that there is.
    init(editing pool: String?, of budgets: [Ledger.Override], pools names: [String]) {
        let pool = pool.flatMap { names.contains($0) ? $0 : nil }
        let present = budgets.first { $0.pool == pool }?.budget
        self.pool = pool ?? "default"
        pools = Self.choices(names, chosen: self.pool)
        var most: TokenCount?
        if case .tokens(let tokens) = present?.max { most = tokens }
        isUnlimited = present?.max == .unlimited
        maxField = Field(text: most.map(\.description) ?? "")
        refreshField = Field(text: present?.refresh.description ?? "")
        startingField = Field(text: isUnlimited ? "" : present?.starting.description ?? "")
        hasProblems = false
    }

    /// Has the budget written. What stands in the way is said in the form afterwards.
    ///
    /// - Returns: the status of a page that says so; nil: the budget is set.
    mutating func submit(_ write: (Budget) async throws(CallError) -> Void) async -> HTTPResponse.Status? {
        guard let budget else { return .unprocessableContent }
        do throws(CallError) {
            try await write(budget)
            return nil
        } catch {
            let failure = PageProblem(error)
            problem = failure.message
            return failure.status
        }
    }

    private static func choices(_ names: [String], chosen: String) -> [Choice] {
        names.map { Choice(name: $0, label: label(of: $0), isChosen: $0 == chosen) }
    }

    /// What stands for the pool that a group's members share; no model has this name.
    static let sharedPool = "*"

    static func label(of pool: String) -> String {
        switch pool {
        case "default": "All models without a budget of their own"
        case sharedPool: "All members together"
        default: pool
        }
    }
}

/// A number of tokens as somebody typed it: digits, in groups if they like.
private struct Number {
    var text: String
    /// Nil when the field is empty or wrong.
    var count: TokenCount?
    var complaint: String?

    init(_ typed: String?, upTo most: TokenCount) {
        text = String((typed ?? "").prefix(100))
        let digits = text.filter { !$0.isWhitespace && $0 != "_" }
        if digits.isEmpty {
            text = ""
        } else if digits.utf8.allSatisfy({ 48...57 ~= $0 }), let value = Int64(digits), value <= most.rawValue {
            count = TokenCount(value)
        } else {
            complaint = "A whole number from 0 to \(most.grouped), written in digits."
        }
    }
}

/// A budget in a table.
struct BudgetRow: Sendable {
    var pool: String
    /// For a query.
    var poolEncoded: String
    var label: String
    var max: String
    var refresh: String
    var starting: String

    init(_ entry: Ledger.Override) {
        pool = entry.pool
        poolEncoded = entry.pool.percentEncoded
        label = BudgetForm.label(of: entry.pool)
        max = entry.budget.max.text
        refresh = entry.budget.refresh > .zero ? entry.budget.refresh.grouped : "none"
        starting = entry.budget.max == .unlimited ? "" : entry.budget.starting.grouped
    }
}
