import Hummingbird
import Mustache
import SharedProtocol
import Storage

@main
struct WebMain {
    static func main() async throws {}
}
