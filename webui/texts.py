"""Everything that the page says to people, in English and Turkish. Programs are answered in English."""

import re

from inference.report import FIGURE_WORDS
from inference.satisfaction import NOT_SURE_KEY
from inference.types import EMOTIONS

LANGUAGES = {"en": "English", "tr": "Türkçe"}

TEXTS: dict[str, tuple[str, str]] = {
    # Gradio's components, which it translates itself
    "page_introduction": (
        "# Ifade\nThe expressions of all faces in photos, before your camera and in videos, as seven probabilities each.",
        "# Ifade\nFotoğraflardaki, kameranızın önündeki ve videolardaki tüm yüzlerin ifadeleri, her biri için yedi olasılık "
        "olarak.",
    ),
    "page_notice": (
        "**It estimates the expression that a face shows, not what the person feels, and is often wrong.** Ask everyone in "
        "view first.\n\n<details><summary>Limits, law, and what is stored</summary>\n\n"
        "- It is wrong more often about some people than about others: faces in profile, covered, dark, blurred or small, and "
        "people whom its training pictures show rarely.{card}\n"
        "- Not for the workplace or for education: the European Union forbids to infer emotions there (AI Act, Article "
        "5(1)(f)). Nor for any decision about people.\n"
        "- Whoever runs it on others has to tell them so beforehand (AI Act, Article 50(3)) and needs a lawful ground for "
        "handling their data.\n"
        "- No photo and no picture of the camera is ever written to disk. The photo that you see and the figures of a live "
        "session are in the server's memory alone and go when you clear or delete them, {left} seconds after you close the "
        "page or {idle} minutes after you last used them. A video is deleted on the server as soon as it is analysed or you "
        "stop it.\n\n</details>",
        "**Bir yüzün gösterdiği ifadeyi tahmin eder, kişinin ne hissettiğini değil; sık sık yanılır.** Önce görüntüdeki "
        "herkese sorun.\n\n<details><summary>Sınırlar, hukuk ve saklanan veriler</summary>\n\n"
        "- Bazı kişilerde başkalarından daha çok yanılır: profilden, örtülü, karanlık, bulanık ya da küçük yüzlerde ve eğitim "
        "resimlerinde az görülen kişilerde.{card}\n"
        "- İşyerinde ve eğitimde kullanılamaz: Avrupa Birliği orada duygu çıkarımını yasaklar (Yapay Zekâ Yasası, madde "
        "5(1)(f)). İnsanlar hakkında karar vermek için de uygun değildir.\n"
        "- Başkaları üzerinde çalıştıran kişi, bunu onlara önceden bildirmek zorundadır (Yapay Zekâ Yasası, madde 50(3)) ve "
        "verilerini işlemek için hukuki bir dayanağı olmalıdır.\n"
        "- Hiçbir fotoğraf ve hiçbir kamera görüntüsü diske yazılmaz. Gördüğünüz fotoğraf ve canlı bir oturumun sayıları "
        "yalnızca sunucunun belleğindedir ve siz kaldırınca ya da silince, sayfayı kapatmanızdan {left} saniye sonra ya da son "
        "kullanımdan {idle} dakika sonra silinir. Video, incelenir incelenmez ya da siz durdurunca sunucudan "
        "silinir.\n\n</details>",
    ),
    "model_card": (
        "[Its accuracy and its limits in figures](model-card).",
        "[Sayılarla doğruluğu ve sınırları (İngilizce)](model-card).",
    ),
    "page_photo": ("Photo", "Fotoğraf"),
    "page_live": ("Live", "Canlı"),
    "page_video": ("Video", "Video"),
    "page_examples": ("Examples", "Örnekler"),
    "page_faces": ("Faces", "Yüzler"),
    "gpu_failed": (
        "The graphics processor failed; the page goes on with the ordinary one, more slowly, until it is started again.",
        "Grafik işlemcisi hata verdi; sayfa yeniden başlatılana kadar olağan işlemciyle, daha yavaş çalışır.",
    ),
    # Emotions and what else is said of a face
    "emotion_angry": ("angry", "öfkeli"),
    "emotion_disgust": ("disgust", "tiksinmiş"),
    "emotion_fear": ("fear", "korkmuş"),
    "emotion_happy": ("happy", "mutlu"),
    "emotion_sad": ("sad", "üzgün"),
    "emotion_surprise": ("surprise", "şaşkın"),
    "emotion_neutral": ("neutral", "nötr"),
    "emotion_contempt": ("contempt", "küçümseyen"),
    "not_sure": ("not sure", "emin değil"),
    "too_small_to_tell": ("too small to tell", "anlaşılamayacak kadar küçük"),
    "issue_too_small": ("very small", "çok küçük"),
    "issue_blurred": ("blurred", "bulanık"),
    "issue_overexposed": ("overexposed", "aşırı aydınlık"),
    "issue_turned_away": ("turned away", "yana dönük"),
    "issue_cut_off": ("cut off by the picture's edge", "resmin kenarında kesilmiş"),
    "woman": ("woman", "kadın"),
    "girl": ("girl", "kız çocuk"),
    "man": ("man", "erkek"),
    "boy": ("boy", "erkek çocuk"),
    "about_age": ("about {age}", "{age} civarı"),
    "about_age_range": ("about {age} ({first} to {last})", "{age} civarı ({first}–{last})"),
    "apparent_age": ("apparent age: {years}", "yaklaşık yaş: {years}"),
    "apparent_age_not_sure": ("apparent age: not sure, {years}", "yaklaşık yaş: emin değil, {years}"),
    "apparent_gender": ("apparent gender: {word} {probability}", "görünen cinsiyet: {word} {probability}"),
    "apparent_gender_not_sure": ("apparent gender: not sure", "görünen cinsiyet: emin değil"),
    # Photo
    "photo_invitation": (
        "Drop or paste photos here, or choose some. They are analysed in the memory of the server that runs this page and "
        "never stored.",
        "Fotoğrafları buraya sürükleyin, yapıştırın ya da seçin. Bu sayfayı çalıştıran sunucunun belleğinde incelenir ve "
        "hiçbir zaman saklanmazlar.",
    ),
    "photo_invitation_touch": (
        "Choose photos or use the camera. They are analysed in the memory of the server that runs this page and never stored.",
        "Fotoğraf seçin ya da kamerayı kullanın. Bu sayfayı çalıştıran sunucunun belleğinde incelenir ve hiçbir zaman "
        "saklanmazlar.",
    ),
    "photo_limits": (
        "JPEG, PNG, WebP, HEIC, TIFF, AVIF, GIF and BMP, up to {megabytes} MB each.",
        "JPEG, PNG, WebP, HEIC, TIFF, AVIF, GIF ve BMP; her biri en çok {megabytes} MB.",
    ),
    "choose_photos": ("Choose photos", "Fotoğraf seç"),
    "use_camera": ("Use the camera", "Kamerayı kullan"),
    "capture": ("Take the photo", "Fotoğrafı çek"),
    "close_camera": ("Close the camera", "Kamerayı kapat"),
    "add_photos": ("Add photos", "Fotoğraf ekle"),
    "remove_photo": ("Remove this photo", "Bu fotoğrafı kaldır"),
    "remove_all": ("Remove all", "Tümünü kaldır"),
    "analysing": ("Analysing …", "İnceleniyor …"),
    "analysing_photo": ("Analysing photo {number} of {count} …", "{count} fotoğraftan {number}. inceleniyor …"),
    "waiting": ("waiting", "bekliyor"),
    "not_reached": ("The server does not answer.", "Sunucu yanıt vermiyor."),
    "trying_again": ("{problem} Trying again …", "{problem} Yeniden deneniyor …"),
    "try_again": ("Try again", "Yeniden dene"),
    "details": ("Details", "Ayrıntılar"),
    "save": ("Save", "Kaydet"),
    "save_boxes": ("Picture with boxes", "Kutulu resim"),
    "save_blurred": ("Picture with blurred faces", "Yüzleri bulanık resim"),
    "save_csv": ("Table (CSV)", "Tablo (CSV)"),
    "save_json": ("Figures (JSON)", "Sayılar (JSON)"),
    "photos": ("Photos", "Fotoğraflar"),
    "photo": ("photo", "fotoğraf"),
    "faces": ("faces", "yüz sayısı"),
    "expressions": ("expressions", "ifadeler"),
    "photo_named": ("{name}: {answer}", "{name}: {answer}"),
    "no_face_short": ("No face found.", "Yüz bulunamadı."),
    "example_astronaut": ("Example: an astronaut", "Örnek: bir astronot"),
    "example_meeting": ("Example: a meeting", "Örnek: bir toplantı"),
    "example_solvay_1927": ("Example: the Solvay Conference of 1927", "Örnek: 1927 Solvay Konferansı"),
    "example_happy": ("Example: a laughing baby", "Örnek: gülen bir bebek"),
    "example_angry": ("Example: an angry man", "Örnek: öfkeli bir adam"),
    "example_sad": ("Example: a crying baby", "Örnek: ağlayan bir bebek"),
    "example_neutral": ("Example: a woman who looks neutral", "Örnek: nötr bakan bir kadın"),
    "example_cat": ("Example: a cat, which has no human face", "Örnek: bir kedi, insan yüzü yok"),
    "no_face": (
        "No face was found. Faces should be turned to the camera and not covered; try a larger, sharper or brighter photo.",
        "Yüz bulunamadı. Yüzler kameraya dönük ve açık olmalı; daha büyük, daha net ya da daha aydınlık bir fotoğraf deneyin.",
    ),
    # In the place of what Gradio says
    "gradio_Error": ("Error", "Hata"),
    "gradio_Warning": ("Warning", "Dikkat"),
    "gradio_Close": ("Close", "Kapat"),
    "gradio_More tabs": ("More tabs", "Diğer sekmeler"),
    "gradio_Gradio footer navigation": ("Gradio footer navigation", "Sayfanın alt bağlantıları"),
    "photo_too_large": (
        "The photo is too large; at most {megabytes} MB are read. Make it smaller and try again.",
        "Fotoğraf çok büyük; en çok {megabytes} MB okunur. Küçültüp yeniden deneyin.",
    ),
    "video_in_photo": (
        "This is a video, not a photo. Open it in the tab Video.",
        "Bu bir video, fotoğraf değil. Video sekmesinde açın.",
    ),
    # The answer
    "one_face": ("1 face found.", "1 yüz bulundu."),
    "faces_found": ("{count} faces found.", "{count} yüz bulundu."),
    "timing": (
        "Detection {detection} ms, classification {classification} ms with {provider}; photo of {width} x {height} pixels.",
        "Yüz bulma {detection} ms, sınıflandırma {classification} ms, {provider} ile; fotoğraf {width} x {height} piksel.",
    ),
    "face_title": ("Face {id}", "Yüz {id}"),
    "face_answer": ("Face {id}: {answer}", "Yüz {id}: {answer}"),
    "crop_alt": ("Face {number} as the network saw it, in grey", "Ağın gördüğü biçimiyle yüz {number}, gri tonlarda"),
    "crop_caption": ("What the network saw; {side} pixels in the photo.", "Ağın gördüğü; fotoğrafta {side} piksel."),
    "heat_alt": (
        "Face {number} in grey, tinted where the network found what spoke for {emotion}",
        "Gri tonlarda yüz {number}; ağın «{emotion}» yanıtı için dayanak bulduğu yerler renkli",
    ),
    "heat_caption": ("Warm: what spoke for «{emotion}».", "Sıcak renkler: «{emotion}» yanıtının dayanağı."),
    "why": ("Why?", "Neden?"),
    "one_person": ("what one person would call it", "bir kişi ne derdi"),
    "ten_people": ("what ten people would say", "on kişi ne derdi"),
    "photo_alt": (
        "The photo with a numbered box around each face.",
        "Her yüzün çevresinde numaralı bir kutu olan fotoğraf.",
    ),
    "two_answers": (
        "The bars join two answers of the network: what one person would call the expression, and what ten people would say. Rare emotions count for more than their frequency.",
        "Çubuklar ağın iki yanıtını birleştirir: bir kişi ifadeye ne derdi, on kişi ne derdi. Seyrek görülen duygular sıklıklarından daha ağır basar.",
    ),
    "unsure": (
        "Not sure: no bar reaches {limit}, so the longest one is more likely wrong than right.",
        "Emin değil: hiçbir çubuk {limit} değerine ulaşmıyor; en uzun çubuğun yanlış olma olasılığı doğru olma olasılığından "
        "yüksek.",
    ),
    "issues_note": (
        "Such faces are named right much less often; what the bars say takes that into account.",
        "Böyle yüzlerde yanıt çok daha seyrek doğru çıkar; çubuklar bunu hesaba katar.",
    ),
    "apparent_note": (
        "Apparent age and gender are what the network takes a face for, not what the person is. A gender is named from "
        "{limit} on. The years aim to hold the age of {aim} of people.",
        "Yaklaşık yaş ve görünen cinsiyet, ağın bir yüzü neye benzettiğidir; kişinin ne olduğu değildir. Cinsiyet, olasılık "
        "en az {limit} olduğunda söylenir. Yaş aralığının, kişilerin {aim} kadarının yaşını içermesi amaçlanır.",
    ),
    "apparent_measured": (
        "They held it for {measured} when this network was tested.",
        "Bu ağın testlerinde içerme oranı: {measured}.",
    ),
    # Live and Video
    "person": ("person {id}", "kişi {id}"),
    "person_title": ("Person {id}", "Kişi {id}"),
    "person_answer": ("Person {id}: {answer}", "Kişi {id}: {answer}"),
    "person_announced": ("person {id} {answer}", "kişi {id} {answer}"),
    "age_gender": ("Apparent age and gender", "Yaklaşık yaş ve görünen cinsiyet"),
    "satisfaction": ("Satisfaction", "Memnuniyet"),
    "scale": ("Scale", "Ölçek"),
    "scale_index": ("−1 to 1", "−1 ile 1 arası"),
    "scale_percent": ("0 to 100", "0 ile 100 arası"),
    "marker": ("Marker", "İşaret"),
    "marker_example": ("price shown", "fiyat gösterildi"),
    "unnamed_marker": ("marker", "işaret"),
    "marker_set": ("Marker «{label}» set at {time}.", "«{label}» işareti kondu, zaman {time}."),
    "how_computed": ("How it is computed", "Nasıl hesaplanır?"),
    "report_png": ("Picture (PNG)", "Resim (PNG)"),
    "report_csv": ("Every frame (CSV)", "Her kare (CSV)"),
    "report_json": ("Figures (JSON)", "Sayılar (JSON)"),
    "no_answer": ("The server does not answer. Try again.", "Sunucu yanıt vermiyor. Yeniden deneyin."),
    "could_not_answer": ("The server could not answer.", "Sunucu yanıt veremedi."),
    "now": ("now", "şimdi"),
    "seconds": ("{seconds} s", "{seconds} sn"),
    "minutes": ("{minutes} min", "{minutes} dk"),
    "chart_summary": (
        "{name}. From {from} to {to}: last {last}, lowest {lowest}, highest {highest}.",
        "{name}. {from} ile {to} arası: son değer {last}, en düşük {lowest}, en yüksek {highest}.",
    ),
    "chart_empty": ("{name}. Nothing to show yet.", "{name}. Henüz gösterilecek bir şey yok."),
    # Live
    "your_camera": ("Your camera", "Kameranız"),
    "live_invitation": (
        "Your camera's picture is analysed on the server that runs this page and is never stored. Ask everyone in view first.",
        "Kameranızın görüntüsü bu sayfayı çalıştıran sunucuda incelenir ve hiçbir zaman saklanmaz. Önce görüntüdeki herkese "
        "sorun.",
    ),
    "start_camera": ("Start camera", "Kamerayı başlat"),
    "stop_camera": ("Stop camera", "Kamerayı durdur"),
    "camera": ("Camera", "Kamera"),
    "camera_number": ("camera {number}", "kamera {number}"),
    "default_camera": ("default", "varsayılan"),
    "front_camera": ("front", "ön"),
    "back_camera": ("back", "arka"),
    "mirrored": ("Mirrored", "Ayna görüntüsü"),
    "people_in_view": ("People in view", "Görüntüdeki kişiler"),
    "last_minute": ("Last 60 seconds", "Son 60 saniye"),
    "whole_session": ("Whole session", "Tüm oturum"),
    "minute_chart": ("Satisfaction of the last 60 seconds", "Memnuniyet, son 60 saniye"),
    "session_chart": ("Satisfaction of the whole session", "Memnuniyet, tüm oturum"),
    "set_marker": ("Set marker", "İşaret koy"),
    "or_press": ("or press", "ya da şu tuşa basın:"),
    "take_baseline": ("Take neutral baseline", "Nötr ifadeyi sıfır al"),
    "forget_baseline": ("Forget baseline", "Sıfır noktasını unut"),
    "look_neutral": (
        "Look neutral for {seconds} seconds: what everybody in view shows now becomes their zero.",
        "{seconds} saniye nötr bakın: görüntüdeki herkesin şimdiki ifadesi kendi sıfır noktası olur.",
    ),
    "baseline_taken": (
        "Neutral baseline taken: the index now counts from there.",
        "Sıfır noktası alındı: endeks artık oradan başlar.",
    ),
    "baseline_forgotten": ("The baseline was forgotten.", "Sıfır noktası unutuldu."),
    "session_report": ("Session report", "Oturum raporu"),
    "show_report": ("Show report", "Raporu göster"),
    "delete_session": ("Delete my session", "Oturumumu sil"),
    "session_deleted": (
        "Your session was deleted. The server keeps nothing of it, and neither does this page.",
        "Oturumunuz silindi. Ondan ne sunucuda ne de bu sayfada bir şey kaldı.",
    ),
    "nothing_to_delete": ("There was nothing left to delete.", "Silinecek bir şey kalmamıştı."),
    "began_anew": (
        "A new session has begun: the one before has ended or is open in another tab.",
        "Yeni bir oturum başladı: önceki sona erdi ya da başka bir sekmede açık.",
    ),
    "file_in_live": (
        "Files are not read here. Open photos in the tab Photo and videos in the tab Video.",
        "Dosyalar burada okunmaz. Fotoğrafları Fotoğraf, videoları Video sekmesinde açın.",
    ),
    "frame_rate": (
        "{rate} frames a second, {milliseconds} ms behind",
        "saniyede {rate} kare, {milliseconds} ms gecikme",
    ),
    "paused": ("Paused while the page is out of sight.", "Sayfa görünmediği sürece duraklatıldı."),
    "nobody": ("Nobody in view.", "Görüntüde kimse yok."),
    "nobody_announced": ("nobody in view", "görüntüde kimse yok"),
    "people_hint": (
        "Here everybody in view gets seven bars, one for each emotion.",
        "Görüntüdeki herkes için burada yedi çubuk çıkar, her duygu için bir tane.",
    ),
    "more_people": ("and {count} more", "ve {count} kişi daha"),
    "not_answering": (
        "The server does not answer. The page tries again by itself.",
        "Sunucu yanıt vermiyor. Sayfa kendiliğinden yeniden dener.",
    ),
    "no_camera_here": (
        "This browser gives the camera only to pages opened by https or from this computer. Open the page by its https "
        "address.",
        "Bu tarayıcı kamerayı yalnızca https ile ya da bu bilgisayardan açılan sayfalara verir. Sayfayı https adresiyle açın.",
    ),
    "camera_gone": (
        "The camera was unplugged or taken by another program. It starts again as soon as it is back.",
        "Kamera çıkarıldı ya da başka bir program aldı. Geri gelir gelmez yeniden başlar.",
    ),
    "camera_forbidden": (
        "The browser did not give the camera to this page. Allow it by the camera or lock sign beside the address, then try "
        "again.",
        "Tarayıcı kamerayı bu sayfaya vermedi. Adresin yanındaki kamera ya da kilit simgesinden izin verin, sonra yeniden "
        "deneyin.",
    ),
    "camera_missing": (
        "No camera was found. Connect one, then try again.",
        "Kamera bulunamadı. Bir kamera bağlayın, sonra yeniden deneyin.",
    ),
    "camera_busy": (
        "The camera is in use by another program. Close that, then try again.",
        "Kamerayı başka bir program kullanıyor. Onu kapatın, sonra yeniden deneyin.",
    ),
    "camera_not_there": (
        "That camera is not there any more. Choose another one.",
        "O kamera artık yok. Başka bir kamera seçin.",
    ),
    "camera_failed": (
        "The camera could not be started ({name}). Try again.",
        "Kamera başlatılamadı ({name}). Yeniden deneyin.",
    ),
    # Video
    "your_video": ("Your video", "Videonuz"),
    "video_invitation": (
        "Drop or paste a video, or choose one. It is sent to the server that runs this page, lies there in a temporary file while "
        "it is analysed, and is deleted as soon as that ends or is stopped.",
        "Bir video sürükleyin, yapıştırın ya da seçin. Video bu sayfayı çalıştıran sunucuya gönderilir, incelenirken orada geçici "
        "bir dosyada durur; inceleme bitince ya da durdurulunca hemen silinir.",
    ),
    "photo_in_video": (
        "This is a picture, not a video. Open it in the tab Photo.",
        "Bu bir resim, video değil. Fotoğraf sekmesinde açın.",
    ),
    "choose_video": ("Choose a video", "Video seç"),
    "choose_another": ("Choose another video", "Başka bir video seç"),
    "video_limits": (
        "MP4, MOV, Matroska, WebM, AVI, MPEG and more, up to {megabytes} MB.",
        "MP4, MOV, Matroska, WebM, AVI, MPEG ve başkaları, en çok {megabytes} MB.",
    ),
    "too_large": (
        "The file is too large; at most {megabytes} MB are read. Shorten it or make it smaller.",
        "Dosya çok büyük; en çok {megabytes} MB okunur. Kısaltın ya da küçültün.",
    ),
    "pictures_a_second": ("Pictures a second", "Saniyedeki kare"),
    "stop": ("Stop", "Durdur"),
    "progress": ("Progress", "İlerleme"),
    "people_now": ("People at this moment", "Bu andaki kişiler"),
    "video_satisfaction": ("Satisfaction in the video", "Videodaki memnuniyet"),
    "video_chart": ("Satisfaction over the video", "Video boyunca memnuniyet"),
    "set_here": ("Set at this moment", "Bu ana koy"),
    "report": ("Report", "Rapor"),
    "video_report": ("Report of the video", "Video raporu"),
    "delete_results": ("Delete the results", "Sonuçları sil"),
    "results_deleted": (
        "The results were deleted. The server keeps nothing of them, and neither does this page.",
        "Sonuçlar silindi. Onlardan ne sunucuda ne de bu sayfada bir şey kaldı.",
    ),
    "sending": ("Sending …", "Gönderiliyor …"),
    "sending_part": ("Sending, {part} of {megabytes} MB …", "Gönderiliyor, {megabytes} MB içinden {part} …"),
    "opening": ("Opening the video …", "Video açılıyor …"),
    "not_taken": ("The server could not take the video.", "Sunucu videoyu alamadı."),
    "broke_off": (
        "The connection broke off while the video was sent. Try again.",
        "Video gönderilirken bağlantı koptu. Yeniden deneyin.",
    ),
    "starting": ("Starting …", "Başlıyor …"),
    "one_ahead": ("Waiting: one video is before yours.", "Bekliyor: sizinkinden önce bir video var."),
    "many_ahead": ("Waiting: {count} videos are before yours.", "Bekliyor: sizinkinden önce {count} video var."),
    "analysed": ("{position} analysed", "incelenen: {position}"),
    "analysed_of": ("{position} of {duration} analysed", "incelenen: {position} / {duration}"),
    "time_left": ("{analysed}, about {left} left", "{analysed}, kalan yaklaşık {left}"),
    "finished": (
        "Finished: {frames} pictures from {length} analysed. The video was deleted on the server.",
        "Bitti: {frames} kare incelendi, süre {length}. Video sunucudan silindi.",
    ),
    "stopped": (
        "Stopped: {frames} pictures from {length} analysed. The video was deleted on the server.",
        "Durduruldu: {frames} kare incelendi, süre {length}. Video sunucudan silindi.",
    ),
    "stopped_before": ("Stopped before the video was sent.", "Video gönderilmeden durduruldu."),
    "cannot_play": (
        "This browser cannot play this file, so it is not shown here.",
        "Bu tarayıcı bu dosyayı oynatamıyor, bu yüzden burada gösterilmiyor.",
    ),
    # The report's picture; the keys without their beginning are those of FIGURE_WORDS
    "figure_title": (FIGURE_WORDS["title"], "Memnuniyet"),
    "figure_summary": (
        FIGURE_WORDS["summary"],
        "Memnuniyet: ortalama {mean}, en yüksek {highest}, son {end}; olumlu %{positive}, nötr %{neutral}, olumsuz "
        "%{negative}",
    ),
    "figure_person": (FIGURE_WORDS["person"], "kişi {id}"),
    "figure_room": (FIGURE_WORDS["room"], "ortam, standart sapmasıyla"),
    "figure_index": (FIGURE_WORDS["index"], "endeks"),
    "figure_seconds": (FIGURE_WORDS["seconds"], "saniye"),
    "figure_dwell": (FIGURE_WORDS["dwell"], "Her duygunun önde olduğu süre"),
    "figure_seconds_together": (FIGURE_WORDS["seconds_together"], "saniye, tüm kişiler birlikte"),
    "figure_length": (FIGURE_WORDS["length"], "{seconds} sn"),
    "figure_decimal_mark": (FIGURE_WORDS["decimal_mark"], ","),
    # The report and the weights
    "nothing_to_report": (
        "Nobody was seen yet, so there is nothing to report.",
        "Henüz kimse görülmedi, bu yüzden rapor edilecek bir şey yok.",
    ),
    "mean": ("mean", "ortalama"),
    "highest": ("highest", "en yüksek"),
    "lowest": ("lowest", "en düşük"),
    "end": ("end", "son"),
    "positive": ("positive", "olumlu"),
    "neutral": ("neutral", "nötr"),
    "negative": ("negative", "olumsuz"),
    "seen_for": ("seen for", "görülme süresi"),
    "value_at": ("{value} at {time}", "{value} ({time})"),
    "room": ("room", "ortam"),
    "everybody": ("everybody", "herkes"),
    "dwell": ("For how long each emotion led", "Her duygunun önde olduğu süre"),
    "markers": ("Markers", "İşaretler"),
    "time": ("time", "zaman"),
    "label": ("label", "etiket"),
    "frames_analysed": (
        "{frames} frames analysed. Neutral is an index from {low} to {high}.",
        "{frames} kare incelendi. Nötr, endeksin {low} ile {high} arasında olmasıdır.",
    ),
    "people_forgotten": (
        "{count} people who were seen most briefly are left out.",
        "En kısa görülen {count} kişi dışarıda bırakıldı.",
    ),
    "rows_dropped": (
        "The CSV holds the latest rows; {count} older ones are gone.",
        "CSV en yeni satırları içerir; daha eski {count} satır silindi.",
    ),
    "weight_of": ("Weight of {emotion}", "Ağırlık: {emotion}"),
    "reset_weights": ("Reset weights", "Ağırlıkları sıfırla"),
    "formula": (
        "{formula}. The weights are how pleasant people rated the word for each emotion, from −1 to 1 (Russell and Mehrabian "
        "1977, Evidence for a three-factor theory of emotions, Journal of Research in Personality 11, 273–294). Over time a "
        "Kalman filter follows it: a doubtful face moves the curve less, and the band is one standard deviation. The room is "
        "the mean of the people in view. The curve of a video that is over looks back from its end too, so that it does not lag. "
        "On the scale from 0 to 100, 50 is neutral.",
        "endeks = yedi duygunun ağırlık x olasılık toplamı. Ağırlıklar, insanların her duygunun adını ne kadar hoş bulduğudur, "
        "−1 ile 1 arası (Russell ve Mehrabian 1977, Evidence for a three-factor theory of emotions, Journal of Research in "
        "Personality 11, 273–294). Zaman içinde bir Kalman süzgeci bunu izler: şüpheli bir yüz eğriyi daha az oynatır; bant bir "
        "standart sapmadır. Ortam, görüntüdeki kişilerin ortalamasıdır. İncelemesi biten bir videonun eğrisi sondan geriye doğru da "
        "hesaplanır, bu yüzden gecikmez. 0 ile 100 "
        "arası ölçekte 50 nötrdür.",
    ),
}

_NUMBER = r"([\d.,]+)"

SENTENCES: dict[str, str] = {
    # What pictures, videos and sessions are refused with, or what is said of them; {} is a number.
    "The file is empty.": "Dosya boş.",
    "Choose a photo in JPEG, PNG, WebP, GIF, BMP, TIFF, AVIF or HEIC format.": "JPEG, PNG, WebP, GIF, BMP, TIFF, AVIF ya da "
    "HEIC biçiminde bir fotoğraf seçin.",
    "The file has more than {} MB, which is the most that is read.": "Dosya {} MB sınırını aşıyor.",
    "This is not a picture that can be read, whatever its name says.": "Adı ne olursa olsun, bu okunabilen bir resim değil.",
    **{
        f"This is {en}, not a picture that can be read, whatever its name says.": "Adı ne olursa olsun, bu okunabilen bir "
        f"resim değil: {tr}."
        for en, tr in {
            "an SVG drawing": "SVG çizimi",
            "a web page": "web sayfası",
            "a PDF document": "PDF belgesi",
            "a PostScript drawing": "PostScript çizimi",
            "an archive or office document": "arşiv ya da ofis belgesi",
            "a video": "video",
            "an icon": "simge",
            "a Photoshop file": "Photoshop dosyası",
            "a camera's raw file": "fotoğraf makinesinin ham dosyası",
            "a JPEG XL picture": "JPEG XL",
            "a JPEG 2000 picture": "JPEG 2000",
        }.items()
    },
    "This is a camera's raw file with no more than a small preview of the picture. Save it as JPEG with the camera's program "
    "or a photo program and choose that.": (
        "Bu, içinde resmin yalnızca küçük bir önizlemesi bulunan bir ham fotoğraf dosyası. Makinenin programıyla ya da bir "
        "fotoğraf programıyla JPEG olarak kaydedip onu seçin."
    ),
    "The picture is damaged, cut off or of a rare kind that is not read. Download it again, or save it as JPEG or PNG.": (
        "Resim bozuk, eksik ya da okunmayan, ender bir türden. Yeniden indirin ya da JPEG veya PNG olarak kaydedin."
    ),
    **{
        f"The picture file has {en}. Save it anew with a photo program and try again.": f"Resim dosyasında {tr} var. Bir "
        "fotoğraf programıyla yeniden kaydedip bir daha deneyin."
        for en, tr in {
            "too many parts": "çok fazla parça",
            "too many scans for its size": "boyutuna göre çok fazla tarama",
            "parts that do not fit its size": "boyutuna uymayan parçalar",
            "too many tags": "çok fazla etiket",
            "larger tags than a picture needs": "gereğinden büyük etiketler",
        }.items()
    },
    "The picture is too large; at most {} megapixels are read. Make it smaller and try again.": "Resim çok büyük; en çok {} "
    "megapiksel okunur. Küçültüp yeniden deneyin.",
    "The picture has {} x {} pixels; at most {} are read on a side. Cut it or make it smaller and try again.": "Resim {} x {} "
    "piksel; bir kenarda en çok {} piksel okunur. Kırpıp ya da küçültüp yeniden deneyin.",
    "The picture has {} x {} pixels; at most {} megapixels are read. Make it smaller and try again.": "Resim {} x {} piksel; "
    "en çok {} megapiksel okunur. Küçültüp yeniden deneyin.",
    "The picture is too large; at most {} MB are read.": "Resim çok büyük; en çok {} MB okunur.",
    "The photo was not found on the server. Upload it again.": "Fotoğraf sunucuda bulunamadı. Yeniden yükleyin.",
    "This is a video, not a photo. Open it in the tab Video.": "Bu bir video, fotoğraf değil. Video sekmesinde açın.",
    "Send the photo itself as the body, without a form around it.": "Fotoğrafı form içine koymadan, isteğin gövdesi olarak "
    "gönderin.",
    "Something went wrong with this photo. Try again.": "Bu fotoğrafta bir sorun oldu. Yeniden deneyin.",
    "Nothing is fetched from other addresses. Send the file itself.": "Başka adreslerden hiçbir şey alınmaz. Dosyanın "
    "kendisini gönderin.",
    "No photo was sent.": "Fotoğraf gönderilmedi.",
    "Choose a video in MP4, MOV, Matroska, WebM, AVI, MPEG, FLV, WMV, Ogg or GIF format.": "MP4, MOV, Matroska, WebM, AVI, "
    "MPEG, FLV, WMV, Ogg ya da GIF biçiminde bir video seçin.",
    "This is a picture, not a video.": "Bu bir resim, video değil.",
    "Open it in the tab Photo.": "Fotoğraf sekmesinde açın.",
    "The file holds sound but no moving pictures.": "Dosyada ses var, ama hareketli görüntü yok.",
    "The file holds no moving pictures.": "Dosyada hareketli görüntü yok.",
    "The video's compression is not known here. Convert it to H.264 (MP4).": "Videonun sıkıştırma biçimi burada bilinmiyor. "
    "H.264 (MP4) biçimine dönüştürün.",
    "The video has {} x {} pixels; at most {} megapixels are read. Make it smaller and try again.": "Video {} x {} piksel; en "
    "çok {} megapiksel okunur. Küçültüp yeniden deneyin.",
    "This is not a video that can be read, whatever its name says.": "Adı ne olursa olsun, bu okunabilen bir video değil.",
    "No picture of the video can be decoded: it is damaged or cut off. Get it again.": "Videonun hiçbir karesi çözülemiyor: "
    "bozuk ya da eksik. Videoyu yeniden edinin.",
    "The video's index is too large. Convert the video to MP4 and try again.": "Videonun dizini çok büyük. Videoyu MP4 biçimine "
    "dönüştürüp yeniden deneyin.",
    "The file's index is missing: it was not downloaded or recorded to its end, and nothing of it can be read. Get it again.": (
        "Dosyanın dizini eksik: sonuna kadar indirilmemiş ya da kaydedilmemiş, hiçbir şeyi okunamıyor. Yeniden edinin."
    ),
    "The file is damaged from {} to {} seconds; pictures are missing there.": "Dosya {} ile {} saniye arasında bozuk; orada "
    "kareler eksik.",
    "The file is damaged from {} to {} seconds and in {} more places; pictures are missing there.": "Dosya {} ile {} saniye "
    "arasında ve {} yerde daha bozuk; oralarda kareler eksik.",
    "Reading was ended after {} of {} seconds.": "Okuma {} saniye sonra bitirildi, toplam süre {} saniye.",
    "Reading was ended after {} seconds.": "Okuma {} saniye sonra bitirildi.",
    "Reading was ended before the first picture.": "Okuma ilk kareden önce bitirildi.",
    "Reading stopped after {} of {} seconds: the file is damaged there.": "Okuma {} saniye sonra durdu, toplam süre {} "
    "saniye: dosya orada bozuk.",
    "Reading stopped after {} seconds: the file is damaged there.": "Okuma {} saniye sonra durdu: dosya orada bozuk.",
    "The file ends after {} of {} seconds: it was not downloaded or recorded to its end.": "Dosya {} saniye sonra bitiyor, "
    "toplam süre {} saniye: sonuna kadar indirilmemiş ya da kaydedilmemiş.",
    "The file breaks off after {} of {} seconds, within a picture.": "Dosya {} saniye sonra bir karenin içinde kopuyor, "
    "toplam süre {} saniye.",
    "The file breaks off after {} seconds, within a picture.": "Dosya {} saniye sonra bir karenin içinde kopuyor.",
    "A marker needs a label.": "İşaretin bir adı olmalı.",
    "At most {} markers are kept.": "En çok {} işaret saklanır.",
    "The page is busy. Try again in a moment.": "Sayfa meşgul. Birazdan yeniden deneyin.",
    "The page is busy: {} are before you. It goes on by itself as soon as there is room.": "Sayfa meşgul: önünüzde {} kişi "
    "var. Yer açılır açılmaz kendiliğinden devam eder.",
    "The page is full at the moment. Try again in a few minutes.": "Sayfa şu anda dolu. Birkaç dakika sonra yeniden deneyin.",
    "The page is busy: {} photos are waiting. Try again in a minute.": "Sayfa meşgul: {} fotoğraf bekliyor. Bir dakika sonra yeniden deneyin.",
    "Too many large photos are waiting. Try again in a minute.": "Çok fazla büyük fotoğraf bekliyor. Bir dakika sonra yeniden deneyin.",
    "Too many large photos are arriving. Try again in a minute.": "Çok fazla büyük fotoğraf gönderiliyor. Bir dakika sonra yeniden deneyin.",
    "The page is busy: it holds as many photos as it can. Try again in a minute.": "Sayfa meşgul: tutabileceği kadar fotoğraf tutuyor. Bir dakika sonra yeniden deneyin.",
    "The photo took too long to arrive. Try again, or make it smaller.": "Fotoğrafın ulaşması çok uzun sürdü. Yeniden deneyin ya da küçültün.",
    "The file is too large; at most {} MB are read.": "Dosya çok büyük; en çok {} MB okunur.",
    "That is too large; at most {} MB are read.": "Bu çok büyük; en çok {} MB okunur.",
    "This session has ended.": "Bu oturum sona erdi.",
    "The frame before this one is still being worked on.": "Bundan önceki kare hâlâ işleniyor.",
    "What this page asked for before is still being made. Try again in a moment.": "Bu sayfanın daha önce istedikleri hâlâ "
    "hazırlanıyor. Birazdan yeniden deneyin.",
    "That is too large; at most {} kB are read.": "Bu çok büyük; en çok {} kB okunur.",
    "Something went wrong with this. It goes on with the next frame.": "Bunda bir sorun oldu. Sonraki kareyle devam eder.",
    "Something went wrong with this video. What was read before is below.": "Bu videoda bir sorun oldu. O ana kadar "
    "okunanlar aşağıda.",
    "This session has its video. Choose the next one anew.": "Bu oturumun bir videosu var. Sonrakini yeniden seçin.",
    "The file is too large; at most {} MB are read. Shorten it or make it smaller.": "Dosya çok büyük; en çok {} MB okunur. "
    "Kısaltın ya da küçültün.",
    "Other visitors' videos are being analysed. Try again in a few minutes.": "Başka ziyaretçilerin videoları inceleniyor. "
    "Birkaç dakika sonra yeniden deneyin.",
    "There is no video. Choose one.": "Video yok. Bir video seçin.",
    "The server has no room for the video at the moment. Try again later.": "Sunucuda şu anda video için yer yok. Daha sonra "
    "yeniden deneyin.",
    "The face detector failed on this picture. Send it again, or another one.": "Yüz bulucu bu resimde çalışmadı. Resmi yeniden "
    "ya da başka bir resim gönderin.",
    "The face detector has failed too often. The page must be started again.": "Yüz bulucu çok sık hata verdi. Sayfanın yeniden "
    "başlatılması gerekiyor.",
    "The face detector failed on {} of the pictures; they are left out.": "Yüz bulucu karelerin {} tanesinde çalışmadı; bunlar "
    "atlandı.",
    "The page is being closed or restarted. Try again in a minute.": "Sayfa kapatılıyor ya da yeniden başlatılıyor. Bir dakika "
    "sonra yeniden deneyin.",
    "The server's disk is full. Try again later.": "Sunucunun diski dolu. Daha sonra yeniden deneyin.",
    "The upload is too slow. Try again on a faster line, or make the video smaller.": "Yükleme çok yavaş. Daha hızlı bir "
    "bağlantıyla yeniden deneyin ya da videoyu küçültün.",
    "The request took too long to arrive.": "İsteğin ulaşması çok uzun sürdü.",
    "The upload stood still for too long. Try again.": "Gönderme çok uzun süre ilerlemedi. Yeniden deneyin.",
}
"""English sentences of `inference` and of the routes, and the same in Turkish."""

_PATTERNS = [
    (re.compile(re.escape(english).replace(r"\{\}", _NUMBER)), SENTENCES[english])
    for english in sorted(SENTENCES, key=len, reverse=True)  # some begin like a longer one
]


def language_of(accepted: str | None) -> str:
    """The one of LANGUAGES that an Accept-Language header, or a browser's language, puts first; else English."""
    return "tr" if (accepted or "").strip().lower().startswith("tr") else "en"


def texts(language: str, prefix: str = "") -> dict[str, str]:
    """All of TEXTS that begin with the prefix, in one language, by key."""
    place = list(LANGUAGES).index(language)
    return {key: pair[place] for key, pair in TEXTS.items() if key.startswith(prefix)}


def emotion_names(language: str) -> dict[str, str]:
    """What each of EMOTIONS is called."""
    return {label: text(language, f"emotion_{label}") for label in EMOTIONS}


def figure_words(language: str) -> dict[str, str]:
    """What stands in the report's picture, as `inference.report.figure_png` wants it."""
    words = {key.removeprefix("figure_"): value for key, value in texts(language, "figure_").items()}
    return words | emotion_names(language) | {NOT_SURE_KEY: text(language, "not_sure")}


def text(language: str, key: str, **values) -> str:
    """One of TEXTS with its places filled."""
    return TEXTS[key][list(LANGUAGES).index(language)].format(**values)


def percent(language: str, part: float, digits: int = 0) -> str:
    """A part of 1 as people write it: 87.3% or %87,3."""
    return f"{part:.{digits}%}" if language == "en" else "%" + number(language, 100 * part, digits)


def number(language: str, value: float, digits: int = 0) -> str:
    """A number with so many decimals, and the language's mark before them."""
    written = f"{value:.{digits}f}"
    return written if language == "en" else written.replace(".", ",")


def translated(sentences: str, language: str) -> str:
    """English sentences of SENTENCES in a language; what is not among them stays as it is."""
    if language == "en":
        return sentences
    exchange = str.maketrans(".,", ",.")
    for pattern, turkish in _PATTERNS:
        sentences = pattern.sub(
            lambda match: turkish.format(*(group.translate(exchange) for group in match.groups())), sentences
        )
    return sentences
