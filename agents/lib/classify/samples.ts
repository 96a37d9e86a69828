// The training texts of the classifiers: articles 1, 3, 4 and 19 of the Universal Declaration of Human Rights (United Nations
// 1948), in five languages.

/** A text in each language, by the label that classifiers return. */
export const SAMPLES = {
  english: `All human beings are born free and equal in dignity and rights. They are endowed with reason and conscience
    and should act towards one another in a spirit of brotherhood. Everyone has the right to life, liberty and security
    of person. No one shall be held in slavery or servitude; slavery and the slave trade shall be prohibited in all their
    forms. Everyone has the right to freedom of opinion and expression; this right includes freedom to hold opinions
    without interference and to seek, receive and impart information and ideas through any media and regardless of
    frontiers.`,
  german: `Alle Menschen sind frei und gleich an Würde und Rechten geboren. Sie sind mit Vernunft und Gewissen begabt und
    sollen einander im Geist der Brüderlichkeit begegnen. Jeder hat das Recht auf Leben, Freiheit und Sicherheit der
    Person. Niemand darf in Sklaverei oder Leibeigenschaft gehalten werden; Sklaverei und Sklavenhandel sind in allen ihren
    Formen verboten. Jeder hat das Recht auf Meinungsfreiheit und freie Meinungsäußerung; dieses Recht schließt die
    Freiheit ein, Meinungen ungehindert anzuhängen sowie über Medien jeder Art und ohne Rücksicht auf Grenzen Informationen
    und Gedankengut zu suchen, zu empfangen und zu verbreiten.`,
  french: `Tous les êtres humains naissent libres et égaux en dignité et en droits. Ils sont doués de raison et de
    conscience et doivent agir les uns envers les autres dans un esprit de fraternité. Tout individu a droit à la vie, à la
    liberté et à la sûreté de sa personne. Nul ne sera tenu en esclavage ni en servitude; l'esclavage et la traite des
    esclaves sont interdits sous toutes leurs formes. Tout individu a droit à la liberté d'opinion et d'expression, ce qui
    implique le droit de ne pas être inquiété pour ses opinions et celui de chercher, de recevoir et de répandre, sans
    considérations de frontières, les informations et les idées par quelque moyen d'expression que ce soit.`,
  spanish: `Todos los seres humanos nacen libres e iguales en dignidad y derechos y, dotados como están de razón y
    conciencia, deben comportarse fraternalmente los unos con los otros. Todo individuo tiene derecho a la vida, a la
    libertad y a la seguridad de su persona. Nadie estará sometido a esclavitud ni a servidumbre; la esclavitud y la trata
    de esclavos están prohibidas en todas sus formas. Todo individuo tiene derecho a la libertad de opinión y de expresión;
    este derecho incluye el de no ser molestado a causa de sus opiniones, el de investigar y recibir informaciones y
    opiniones, y el de difundirlas, sin limitación de fronteras, por cualquier medio de expresión.`,
  italian: `Tutti gli esseri umani nascono liberi ed eguali in dignità e diritti. Essi sono dotati di ragione e di coscienza
    e devono agire gli uni verso gli altri in spirito di fratellanza. Ogni individuo ha diritto alla vita, alla libertà ed
    alla sicurezza della propria persona. Nessun individuo potrà essere tenuto in stato di schiavitù o di servitù; la
    schiavitù e la tratta degli schiavi saranno proibite sotto qualsiasi forma. Ogni individuo ha diritto alla libertà di
    opinione e di espressione incluso il diritto di non essere molestato per la propria opinione e quello di cercare,
    ricevere e diffondere informazioni e idee attraverso ogni mezzo e senza riguardo a frontiere.`,
} as const;

/** The labels of the classifiers. */
export type Language = keyof typeof SAMPLES;
