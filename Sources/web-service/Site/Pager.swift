import SharedProtocol

/// The way from one page of a list to those beside it, and how long the list is.
struct Pager: Sendable {
    /// For screen readers.
    var pagerLabel: String
    /// Like `51–100 of 1 234`; absent when the list is empty.
    var range: String?
    var previousPath: String?
    var nextPath: String?

    /// - Parameters:
    ///   - path: what an offset is appended to; ends with `?` or `&`.
    ///   - offset: how many entries come before the page.
    ///   - shown: how many are on it.
    init(_ label: String, path: String, offset: Int, shown: Int, total: Int, perPage: Int) {
        pagerLabel = label
        if shown > 0 {
            let numbers = [offset + 1, offset + shown, total].map { TokenCount(Int64($0)).grouped }
            range = "\(numbers[0])–\(numbers[1]) of \(numbers[2])"
        }
        // From beyond the end one step leads to the last page.
        if offset > 0 { previousPath = path + "offset=\(max(0, min(offset, total) - perPage))" }
        if shown > 0, offset + shown < total { nextPath = path + "offset=\(offset + shown)" }
    }
}
