import SharedProtocol

@main
struct AuthMain {
    static func main() async throws {}
}
