package android.os;

/** What the app uses of this class, part of it newer than the framework of the build check. */
public class Build {
    private Build() {}

    private static native <T> T stub();

    public static final String MANUFACTURER = stub();
    public static final String MODEL = stub();
    public static final String BOARD = stub();
    public static final String ID = stub();
    public static final String[] SUPPORTED_ABIS = stub();

    /** Since API 31. */
    public static final String SOC_MANUFACTURER = stub();

    /** Since API 31. */
    public static final String SOC_MODEL = stub();

    public static class VERSION {
        public static final String RELEASE = stub();
        public static final int SDK_INT = Build.<Integer>stub();
    }
}
