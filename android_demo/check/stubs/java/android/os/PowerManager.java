package android.os;

/** What the app uses of this class, part of it newer than the framework of the build check. */
public final class PowerManager {
    private PowerManager() {}

    /** Since API 29. */
    public int getCurrentThermalStatus() {
        throw new UnsupportedOperationException("a stub");
    }
}
