import Glibc

/// Where a command says what went wrong; its result goes to standard output.
enum StandardError {
    static func print(_ line: String) {
        let text = line + "\n"
        _ = write(STDERR_FILENO, text, text.utf8.count)
    }
}
