package android.content

import android.content.res.AssetManager
import android.content.res.Resources
import android.database.Cursor
import android.net.Uri
import android.os.Bundle
import dermport.phone.Phone
import java.io.File
import java.io.InputStream

@Suppress("unused", "UNUSED_PARAMETER")
open class Context {
    val applicationContext: Context get() = Phone.application
    val resources: Resources get() = Phone.resources
    val assets: AssetManager get() = Phone.assets
    val contentResolver: ContentResolver get() = Phone.resolver
    val filesDir: File get() = Phone.folder("files")
    val packageCodePath: String get() = Phone.folder("app").resolve("base.apk").path

    fun getExternalFilesDir(type: String?): File = Phone.folder("external")

    fun getString(id: Int): String = resources.getString(id)

    fun getString(id: Int, vararg values: Any?): String = resources.getString(id, *values)

    fun getSystemService(name: String): Any? = Phone.service(name)

    fun checkSelfPermission(permission: String): Int = if (Phone.isGranted(permission)) 0 else -1

    /** The last battery broadcast; nobody listens here for a later one. */
    fun registerReceiver(receiver: BroadcastReceiver?, filter: IntentFilter): Intent =
        Intent("battery").also { it.extras = Bundle().apply { putInt("level", 80); putInt("temperature", 305) } }
}

open class BroadcastReceiver

class IntentFilter(@Suppress("unused") val action: String)

class ActivityNotFoundException(message: String) : RuntimeException(message)

/** What one screen asks another for. */
class Intent(val action: String?) {
    constructor(@Suppress("UNUSED_PARAMETER") from: Context, screen: Class<*>) : this(null) {
        component = screen
    }

    internal var component: Class<*>? = null
    internal val categories = ArrayList<String>()
    internal var type: String? = null
    var data: Uri? = null
        private set
    var extras: Bundle? = null
        internal set

    fun setData(uri: Uri?): Intent = apply { data = uri }
    fun setType(kind: String): Intent = apply { type = kind }
    fun addCategory(category: String): Intent = apply { categories.add(category) }

    @Suppress("UNUSED_PARAMETER")
    fun addFlags(more: Int): Intent = this
    fun getIntExtra(name: String, otherwise: Int): Int = extras?.getInt(name, otherwise) ?: otherwise
}

/** Hands out the files of other apps: content://pictures/NAME is a file of the test. */
@Suppress("unused", "UNUSED_PARAMETER")
class ContentResolver {
    /** How many files were opened so far. */
    @Volatile
    internal var opened = 0
        private set

    fun openInputStream(uri: Uri): InputStream? {
        opened++
        if (uri.lastPathSegment.startsWith("denied")) throw SecurityException("no grant for $uri")
        return Phone.shared(uri).inputStream()
    }

    fun query(uri: Uri, columns: Array<String>?, where: String?, values: Array<String>?, order: String?): Cursor? {
        return Name(uri.lastPathSegment)
    }

    /** One row with one column. */
    private class Name(private val name: String) : Cursor {
        override fun moveToFirst() = true
        override fun getString(column: Int) = name
        override fun close() = Unit
    }
}
