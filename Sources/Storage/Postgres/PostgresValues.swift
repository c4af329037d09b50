/// A statement's values as libpq takes them: texts that end with a zero, all in one piece of memory.
struct PostgresValues {
    private var bytes: [CChar] = []
    /// Where each begins; nil for NULL.
    private var starts: [Int?] = []

    init(_ values: [any SQLConvertible]) {
        bytes.reserveCapacity(values.count * 24)
        starts.reserveCapacity(values.count)
        for value in values {
            switch value.sqlValue {
            case .null: starts.append(nil)
            case .integer(let number): append(String(number))
            case .text(let text): append(text)
            }
        }
    }

    /// PostgreSQL's texts cannot have the character U+0000, which is replaced by the one that stands for such.
    private mutating func append(_ text: String) {
        starts.append(bytes.count)
        var text = text
        text.withUTF8 { utf8 in
            guard utf8.contains(0) else {
                bytes.append(contentsOf: utf8.lazy.map { CChar(bitPattern: $0) })
                return
            }
            for byte in utf8 {
                if byte == 0 {
                    bytes.append(contentsOf: "\u{FFFD}".utf8.lazy.map { CChar(bitPattern: $0) })
                } else {
                    bytes.append(CChar(bitPattern: byte))
                }
            }
        }
        bytes.append(0)
    }

    func withPointers<T>(_ body: (UnsafeBufferPointer<UnsafePointer<CChar>?>) -> T) -> T {
        bytes.withUnsafeBufferPointer { bytes in
            let pointers = starts.map { start in start.flatMap { bytes.baseAddress?.advanced(by: $0) } }
            return pointers.withUnsafeBufferPointer(body)
        }
    }
}
