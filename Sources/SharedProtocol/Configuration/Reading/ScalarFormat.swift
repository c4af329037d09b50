import Logging

/// A single value of the file as it was written.
struct ScalarText {
    var text: String
    var isQuoted: Bool
}

/// How a single value is written and what it means.
struct ScalarFormat<Value> {
    /// Completes the sentence “expected …”.
    var expectation: String
    /// A secret's text is left out of messages.
    var isSecret: Bool
    var parse: (ScalarText) -> Value?

    init(_ expectation: String, isSecret: Bool = false, parse: @escaping (ScalarText) -> Value?) {
        self.expectation = expectation
        self.isSecret = isSecret
        self.parse = parse
    }
}

extension ScalarFormat where Value == String {
    /// Any text on one line, at most 1,000 bytes.
    static var text: Self {
        ScalarFormat("text on one line") { scalar in
            let isOneLine = !scalar.text.unicodeScalars.contains { $0.value < 32 || $0.value == 127 }
            return isOneLine && scalar.text.utf8.count <= 1000 ? scalar.text : nil
        }
    }

    static var nonEmptyText: Self {
        ScalarFormat("non-empty text on one line") { scalar in
            text.parse(scalar).flatMap { $0.allSatisfy(\.isWhitespace) ? nil : $0 }
        }
    }

    /// Lower-cased: addresses are compared without regard to case.
    static var email: Self {
        ScalarFormat("an e-mail address") { EmailAddress.normalized($0.text) }
    }

    /// The look of the pages takes this into a style sheet: nothing but a colour may pass.
    static var colour: Self {
        ScalarFormat("a colour such as “#13294b”, in quotes") { scalar in
            let digits = scalar.text.dropFirst()
            let isColour = scalar.text.hasPrefix("#") && [3, 6].contains(digits.count)
            return scalar.text.isEmpty || isColour && digits.allSatisfy(\.isHexDigit) ? scalar.text : nil
        }
    }

    /// The name of a member of a JSON object.
    static var memberName: Self {
        ScalarFormat("a name of letters, digits and “_”") { scalar in
            let isName = scalar.text.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber || $0 == "_") }
            return isName && !scalar.text.isEmpty ? scalar.text : nil
        }
    }
}

extension ScalarFormat where Value == Secret {
    static var secret: Self { secret(atLeast: 1) }

    static func secret(atLeast bytes: Int) -> Self {
        let length = bytes == 1 ? "" : " of at least \(bytes) bytes"
        return ScalarFormat("a secret text" + length, isSecret: true) { scalar in
            scalar.text.utf8.count >= bytes && !scalar.text.contains("\n") ? Secret(scalar.text) : nil
        }
    }
}

extension ScalarFormat where Value == Bool {
    static var flag: Self {
        ScalarFormat("true or false") { scalar in
            if scalar.isQuoted { return nil }
            switch scalar.text.lowercased() {
            case "true", "yes", "on": return true
            case "false", "no", "off": return false
            default: return nil
            }
        }
    }
}

extension ScalarFormat where Value == Int {
    /// Decimal digits, with `_` between them if the operator likes.
    static func integer(_ range: ClosedRange<Int>) -> Self {
        ScalarFormat("a whole number from \(range.lowerBound) to \(range.upperBound)") { scalar in
            let digits = scalar.text.filter { $0 != "_" }
            guard !scalar.isQuoted, digits.utf8.allSatisfy({ 48...57 ~= $0 }), scalar.text.first != "_",
                let value = Int(digits)
            else { return nil }
            return range.contains(value) ? value : nil
        }
    }
}

extension ScalarFormat where Value == TokenCount {
    static func tokens(from least: TokenCount = 0, upTo most: TokenCount) -> Self {
        let integer = ScalarFormat<Int>.integer(Int(least.rawValue)...Int(most.rawValue))
        return ScalarFormat("a whole number of tokens from \(least) to \(most)") { scalar in
            integer.parse(scalar).map { TokenCount(Int64($0)) }
        }
    }
}

extension ScalarFormat where Value == Duration {
    static var duration: Self {
        ScalarFormat("seconds, or a time such as “500ms”, “30s”, “5m”, “12h”, “7d”") { scalar in
            DurationText.parse(scalar.text).flatMap { $0 > .zero ? $0 : nil }
        }
    }
}

extension ScalarFormat where Value == TokenPrice {
    static var price: Self {
        ScalarFormat("USD as a decimal number with at most 9 places") { TokenPrice(dollars: $0.text) }
    }
}

extension ScalarFormat where Value == WebAddress {
    static var webAddress: Self {
        ScalarFormat("an http or https address without user name, password or fragment", isSecret: true) {
            WebAddress($0.text)
        }
    }
}

extension ScalarFormat where Value == WebOrigin {
    static var origin: Self {
        ScalarFormat("an http or https address without a path, such as “https://lumen.example.edu”", isSecret: true) {
            WebAddress($0.text).flatMap { $0.path.isEmpty || $0.path == "/" ? $0.origin : nil }
        }
    }
}

extension ScalarFormat where Value == Logger.Level {
    static var logLevel: Self {
        ScalarFormat("one of \(Logger.Level.allCases.map(\.rawValue).joined(separator: ", "))") {
            Logger.Level(rawValue: $0.text.lowercased())
        }
    }
}

extension ScalarFormat where Value: CaseIterable & RawRepresentable, Value.RawValue == String {
    static var oneOf: Self {
        ScalarFormat("one of \(Value.allCases.map(\.rawValue).joined(separator: ", "))") { Value(rawValue: $0.text) }
    }
}
