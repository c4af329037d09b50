import SharedProtocol
import Synchronization

/// The day of the latest commit: the calendar is asked once a day, not for each.
enum Today {
    private static let latest = Mutex<(start: Int64, day: CalendarDay)?>(nil)
    private static let dayMs: Int64 = 86_400_000

    static func day(of time: Timestamp) -> CalendarDay {
        latest.withLock { latest in
            if let latest, latest.start..<latest.start + dayMs ~= time.rawValue { return latest.day }
            let day = CalendarDay(time)
            latest = (time.rawValue - time.rawValue % dayMs, day)
            return day
        }
    }
}
