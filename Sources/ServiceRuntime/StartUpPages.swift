import CPages

/// The code and the constants that a process needs at its start only: arguments, YAML, migrations, Swift's tables of
/// conformances. They stay mapped, and were a third of the memory of an idle site.
public enum StartUpPages {
    /// Longer than a start takes. Nothing is lost when one takes longer: it maps again what it needs.
    private static let delay = Duration.seconds(1)

    /// Unmaps them; what is used again comes back from the kernel's cache.
    public static func release() { pages_unmap_code() }

    /// Waits until the start is over; does nothing if the task is cancelled before.
    static func releaseAfterStart() async {
        guard (try? await Task.sleep(for: delay)) != nil else { return }
        release()
    }
}
