package dermport.demo

import android.app.Activity
import android.os.Build

/** Keeps screens with pictures out of the images that Android keeps for its list of recent apps. */
object Recents {
    /** Since Android 13; before, the first screen says that there are such images. */
    fun hide(screen: Activity) {
        if (Build.VERSION.SDK_INT >= 33) screen.setRecentsScreenshotEnabled(false)
    }
}
