package dermport.demo

import dermport.core.Measured
import java.util.Locale

/** Shares from 0 to 1 as they are shown; no line ends before the sign. */
object Percent {
    fun whole(share: Double): String = "%.0f\u00A0%%".format(Locale.getDefault(), share * 100)

    fun tenths(share: Double): String = "%.1f\u00A0%%".format(Locale.getDefault(), share * 100)

    /** Value, low and high end, for strings that have all three. */
    fun interval(measured: Measured): Array<String> = measured.toList().map { whole(it) }.toTypedArray()
}
