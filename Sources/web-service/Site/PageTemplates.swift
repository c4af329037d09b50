import Mustache
import SharedProtocol

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// The pages' HTML, parsed once. Values are escaped; a template that wanted one raw would have to say so, and none does.
struct PageTemplates: Sendable {
    private let library: MustacheLibrary

    /// Blocks: for start-up only.
    init(folder: String) throws(SiteFilesMissing) {
        var templates: [String: MustacheTemplate] = [:]
        do {
            for file in try FileManager.default.contentsOfDirectory(atPath: folder) where file.hasSuffix(".mustache") {
                let text = String(
                    decoding: FileManager.default.contents(atPath: folder + "/" + file) ?? Data(), as: UTF8.self)
                templates[String(file.dropLast(".mustache".count))] = try MustacheTemplate(string: text)
            }
        } catch {
            throw SiteFilesMissing(description: "The page templates in \(folder) cannot be read: \(error).")
        }
        library = MustacheLibrary(templates: templates)
    }

    /// HTML has no U+0000, which may come with an address or a form: it is shown as what stands for such. Controls of the writing
    /// direction are left out, whoever's name they are in.
    ///
    /// - Parameter name: a file's name without its ending.
    func render(_ name: String, _ page: some Sendable) -> String {
        guard let html = library.render(page, withTemplate: name) else {
            preconditionFailure("there is no template \(name)")
        }
        let shown = html.withoutDirectionControls
        return shown.utf8.contains(0) ? shown.replacing("\0", with: "\u{FFFD}") : shown
    }
}

/// The program's own files are not where they belong: a sentence for the operator.
struct SiteFilesMissing: Error, CustomStringConvertible {
    let description: String
}
