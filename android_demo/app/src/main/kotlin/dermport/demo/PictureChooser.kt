package dermport.demo

import android.app.Activity
import android.content.ActivityNotFoundException
import android.content.Intent

/** Asks the phone for a file; the app itself has no access to storage. */
object PictureChooser {
    const val PICTURE = 1
    const val MODEL = 2

    /** Opens the phone's own chooser; false where it has none. */
    fun choose(activity: Activity, what: Int): Boolean {
        val intent = Intent(Intent.ACTION_OPEN_DOCUMENT)
            .addCategory(Intent.CATEGORY_OPENABLE)
            .setType(if (what == PICTURE) "image/*" else "*/*")
        return try {
            activity.startActivityForResult(intent, what)
            true
        } catch (_: ActivityNotFoundException) {
            false
        }
    }
}
