package android.database

/** What a query found. */
interface Cursor : java.io.Closeable {
    fun moveToFirst(): Boolean

    fun getString(column: Int): String?
}
