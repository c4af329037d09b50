import HTTPTypes
import Hummingbird
import SharedProtocol

/// Why a page cannot be shown, in words for its reader.
struct PageProblem: Error, Hashable {
    var status: HTTPResponse.Status
    var title: String
    var message: String
    /// Seconds after which trying again makes sense.
    var retryAfter: Int?

    init(_ status: HTTPResponse.Status, _ title: String, _ message: String, retryAfter: Int? = nil) {
        self.status = status
        self.title = title
        self.message = message
        self.retryAfter = retryAfter
    }

    /// Nobody is logged in, and the page is somebody's.
    static let signedOut = PageProblem(
        .unauthorized, "Please log in", "You are not logged in, or your session has ended.")
    static func rateLimited(retryAfter: Int64) -> PageProblem {
        PageProblem(
            .tooManyRequests, "Too many requests", "Too many requests. Try again in \(retryAfter) s.",
            retryAfter: Int(retryAfter))
    }

    static let notFound = PageProblem(.notFound, "Not found", "There is no such page.")

    /// The one place where an error of a service becomes a page.
    init(_ error: any Error) {
        switch error {
        case let problem as PageProblem: self = problem
        case let error as CallError: self.init(call: error)
        case let error as any HTTPResponseError where error.status == .notFound: self = .notFound
        default:
            self.init(
                .internalServerError, "Something went wrong", "The page could not be made. The error has been logged.")
        }
    }

    private init(call error: CallError) {
        switch error.code {
        case .notFound: self.init(.notFound, "Not found", error.message)
        case .refused, .invalidParams: self.init(.badRequest, "That is not possible", error.message)
        case .busy: self.init(.tooManyRequests, "Too much at once", error.message, retryAfter: 5)
        case .unauthenticated: self = .signedOut
        case .accountDisabled:
            self.init(.forbidden, "Your account is disabled", "Ask the people who run this site.")
        // A method is unknown to a service of an older version, during an upgrade.
        case .unavailable, .connectionLost, .deadlineExceeded, .storageFailed, .unknownMethod:
            self.init(
                .serviceUnavailable, "Not available at the moment",
                "A part of this site does not answer. It usually is back within seconds: please try again.",
                retryAfter: 2)
        default:
            self.init(
                .internalServerError, "Something went wrong", "The page could not be made. The error has been logged.")
        }
    }
}
