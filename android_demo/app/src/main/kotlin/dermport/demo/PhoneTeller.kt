package dermport.demo

import android.content.Context
import android.content.Intent
import android.content.IntentFilter
import android.os.BatteryManager
import android.os.Build
import android.os.PowerManager
import android.provider.Settings
import dermport.core.PhoneFacts
import dermport.core.PhoneState
import dermport.core.Sha256
import java.io.File

/** What the phone says of itself for a benchmark; nothing that tells whose it is. */
object PhoneTeller {
    private const val NOT_TOLD = "not told"

    fun facts() = PhoneFacts(
        manufacturer = told(Build.MANUFACTURER),
        model = told(Build.MODEL),
        soc = told(if (Build.VERSION.SDK_INT >= 31) "${Build.SOC_MANUFACTURER} ${Build.SOC_MODEL}" else Build.BOARD),
        android = told(Build.VERSION.RELEASE),
        sdk = Build.VERSION.SDK_INT.toString(),
        abi = told(Build.SUPPORTED_ABIS.firstOrNull()),
        build = told(Build.ID),
    )

    fun state(context: Context): PhoneState {
        val battery = context.registerReceiver(null, IntentFilter(Intent.ACTION_BATTERY_CHANGED))
        val level = battery?.getIntExtra(BatteryManager.EXTRA_LEVEL, -1) ?: -1
        val tenths = battery?.getIntExtra(BatteryManager.EXTRA_TEMPERATURE, Int.MIN_VALUE) ?: Int.MIN_VALUE
        return PhoneState(
            thermal = if (Build.VERSION.SDK_INT >= 29) power(context).currentThermalStatus else null,
            battery = level.takeIf { it in 0..100 },
            celsius = (tenths / 10.0).takeIf { tenths in -400..1200 },
        )
    }

    /** Eight hexadecimal digits, the same at every run of this app on this phone. */
    fun id(context: Context): String {
        val own = Settings.Secure.getString(context.contentResolver, Settings.Secure.ANDROID_ID) ?: ""
        return Sha256.of(own.toByteArray()).take(8)
    }

    /** SHA-256 of the installed app; "not told" where Android does not let it be read. */
    fun app(context: Context): String = Sha256.of(File(context.packageCodePath)) ?: NOT_TOLD

    private fun power(context: Context) = context.getSystemService(Context.POWER_SERVICE) as PowerManager

    private fun told(text: String?) = text?.trim()?.ifEmpty { null } ?: NOT_TOLD
}
