package android.content.res

import android.util.DisplayMetrics
import dermport.phone.Phone
import java.io.File
import java.io.InputStream
import java.util.Locale

class Resources internal constructor(private val strings: (Int) -> String) {
    val displayMetrics = DisplayMetrics()

    fun getString(id: Int): String = strings(id)

    fun getString(id: Int, vararg values: Any?): String = strings(id).format(Locale.getDefault(), *values)
}

/** The files that lie in the app. */
class AssetManager internal constructor(internal val folder: File) {
    @Suppress("UNUSED_PARAMETER")
    fun list(path: String): Array<String> = folder.list().orEmpty().sorted().toTypedArray()

    fun open(name: String): InputStream = folder.resolve(name).inputStream()
}
