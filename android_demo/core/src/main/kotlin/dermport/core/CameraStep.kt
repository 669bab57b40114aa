package dermport.core

/** What the camera screen does when it comes to the front. */
enum class CameraStep {
    OPEN,
    ASK,

    /** Says that the camera may not be used and offers the gallery. */
    EXPLAIN,
    ;

    companion object {
        /** A person is asked once; who refused is not asked again at every turn of the phone. */
        fun next(granted: Boolean, asked: Boolean): CameraStep = if (granted) OPEN else if (asked) EXPLAIN else ASK
    }
}
