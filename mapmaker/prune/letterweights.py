"""What `letterform` knows of letters: 97 -> 32 -> 1, eight bits a weight, as base 85.

Trained by `bench/letters.py` on letters of 40 fonts drawn on plain and painted ground against what
is no letter: pieces of our own layouts and of 35 CC0 and Unlicense maps, which the script chooses
from the list of licences beside them.
"""

SCALES = (0.00779971, 0.00610780, 0.00904248, 0.00162560)  # of the four arrays below
PACKED = """
3IFWQ*yRBG=nn(Py$Tue?=B6|)E)}`>=_!_yyMv30v{vZzXJu`A2&Go^%n>2GCnpA0TK!MLLvz8><#D!J^lCr1QhKeDf#&
jCn^9F@cj|&{4MS2@6r$u85q~w9Sh^*`T->T-vHj^_2ujm3kT}f`QPCkAnxDr=?e=F;^hPg6)F7d<~&b7KqJ-7?lym182{
qY`6@F82jBJr2-c;~zV90@?#;B^9vK-e2;1__{qpw^8!sgT{^jfg{pIWJ+XeZx|4h;3_zwX9FGvjx4HYFQ85t_?+YA%)^8
pU>^6(cJ4ht3w4%-SF4HD-F2k+(J02kHb{_DuY<QDMC)e8CT^Y$<L`V#&G`37750sQIz2=^k~+W7Dc7z}9|`ThzP_tOds*
5cgy`r+{o%;UE8<-z*#;`#d)@A&fYAqWou2{HiTF&+O3A3Or{GYs$u3qb(k7z+F#EkGLl2lehNDK{(?3DCCpG%ges3%r)q
Hx}z7EDPl200tvR@!0GC1s2uS3?2&*4I3cn{|*xc;r!|I>gfRh^7`HP;R6&03<&tq@Ff2eDJc%_{RI>1?(z@}2OkCn|MD#
sD+cWb2O1Xt`u6M20V*2#(DDTL{Ra!`=J_f;2Jh7Z0{!q03;X)>$?6as?$8Ju#uqa%@XiDx_6i6M*0t;f?f(-V+rJ7A>H9
4#@##Do>;f1k{`w^W^bZR7^ZNPi0T}b)`PJg#5-cS2{sH{@6EYkQAPfZl4-NbjDiQ$j0Os)9{}A`#+X4y$+xXS>^!F<nxZ
L*z{|6rVqxKBy6%8*l!2l%d5&<zZ*EUHS90o-*@iQ(P8vZR9<l@}x{{A8M-OkeD_2&-b76bJY1pfQt5(?@K2?E&PCl2rG{
})yB>*eeI7WB&4@D~RPDF5^B94Z<e|KbD)105n3;@SHQ2>&PZ*75NfDfAZh;tuZ#K@}4T;3V4{Ln0OV10(1JMHA@c6esud
M*FtTAT;{lCibPm7Z~ag_shZ14HEMlDjy&B@f;%n)6?(y=I7N10tC<h5CZN3BLURj9T+kX1O)54^7kSg&i@nt3l%02!ny(
<2M8hw<;vX?2;v6s`WEKsCl((I2mt{55i>a*`sD(^_#7AyBjVoZ5)Kyk%nm9L3Krko=Hn9@@Dd8=3<3cU?j|P`6z}}_3mq
6B7$g$}5)2U`2QV@W1^^EW2JqtP1?2<m1^fZj()a}n3+4>n<Lm$W`S%C$1Oor)@BAPW`r`lP;`{^f?)VYt<y9LM4iNeLCn
4O|*x1<G_v6*_B`X{=;olPu0sjE##q9Ia(bw9^*#P(B<GlMACKL1x9RUn79QG726CWE476ug(^!(%X{tF}fEgS&;05K8_1
_$yL85Z~f-~kaB{^IuM{3InIAqVKk;t(qi`1$L@_Z$)7=_1tU00rgP3<k!@`~4FH4D!Ld053KiCIiT|>Le*08vfh6<qQx1
2=3*|6CM=k{_q64Bq0s%|L^+J3o17Y1PTu388JCTE&<{O2kajZ{`KhQ?%U}C3==;J{u2)F=GO@*E-()P{paQ25*sB15DW>
)qQC481PSNez^vEr5j6=BI5Y+f2^A41Q8gA12=xsAMJ6Ke-wh1$+_cfz=jZ(N<j)))4Dk&H8P)>e7$+1F2m|dD6cHN$9_-
-s#Mk=!4AtE6&*BLf4*K8a{qEw}0V56%_}8Pv*(F0D{OI@R>mEfP?+5|{0}dMY*!&kiDd)}T8w5f=BjfQU95FNp5akjn2N
?Pg@%aW97!l_f_4pPR2^9_<;QsIf_3Z>E90JMg{PN}K2^AAGF)%qADG)m-As;75JR>0n6Y}^LBOm?!3DCaI%Fov3%h&Ji+
UL&k<<8^t1`gH=-PFnT3oy~|2lN0dBns)?r|mCaCB^3V`2PedCk7f00|~eB5BW*>?De|R5#=NI|NYhW5dazb3H-|PGaMfG
9`2mzF-;Kl8|Jgy6F>U|78dRR9#jeW{|5OLJVgZ9{T2@$JRs<%xfmY;^4QAx{RIE;<No&D3K!?T#oqq{7Bl17@Y3lT91!>
T3IN>{5*py~77+dT_#YAf2qYEm&@T`B2^<^p$r%d)@d5h!+yxB^0pSA<{2d@47ZVEi0u1o?CLap!4*viB5bodl1>Vg32L&
7h>-`1~@8BH|*$NLl5cvP-+wKq+2I<_&;QSB%-OJtO@CYUj2>1;j90%X({{;sW1?B4C1Ro<e_2m5l5)&05^7;fA1O+P_`1
vm{CpI)00Qv$83<}h@@C*h6`R3mA{1@8-6$SwH=<eqeKQI&*4&3_h=mPoo{@^1A>gp8z9n}~C<{c+UOdTN_HYy)6O)%*O2
M6BP_%7)d7Y6q8{Qw{t``F*m$=LYtxaYd;*xBr*9ViVW3;H$^{{9sbCK@z1Kn)EsEg}&%FF_A39pCHVDMkwd@&4=Q2@ClK
9}DsH?a}1R<^c2-^Ut!x(DD2X>Ga9k^ZoDt+4b`D8w%<U6ZQie4*BU0Ar$8K3-jFL6C(8I3<c!5;{8H36%PyS`W-P9^A$4
S2q6yT<sBXJ@Cnz*>Ffvh^%Aq?D*FBJ;2*94I{_c(>?EHDI0F^(>JhQ@4fz4@{RY10^$_&?1QpZd7BU3k8V1<&5-}d#6Cf
lH-5MwgAQ%4h-SZ1CF5({&=I8-GL*Fht>eKWYIOiNB)Xvt|1L8a%<Mavp^W!xS3=t3?>ggBw01y!&{^|<T{O8dT`2*q2;=
{xD8yf@d{`v0}A@vXx5c~TL@&y1gLo5K+%r^1j3+4VD_Z#BVzsKqN+1?vP85cDI0rLkb8~fnr)EfpO9RcOj><|1dE&&??7
4;Af@CPI*EBoi-x77X?2<qw7<>(n43?kv~`1cF$`wICR81dcR^BV{u5&QS>8Y#;Z0{q<}Dc0=q0R7(j{Rigd_6!mQ1u+iq
@Dl|C_6imT0sJKx`u7MiD+(ztAP*QKL@E{@DiZ+w7!d>h_YD%(5B=W5(bDqZ^VZ-876<y^#o+Sr|K;EU;}jnF@$UjiEg%)
(>-s85B1rVz?HMCH8bI0$58e6`5h~s$7S;0#7b^4m^xFUTD;eze3-uKM8Uzap0tg}d2?7Qn3l}W{>A~b64+RJE_MXfJ?Ct
vI2FmK<-Q?!K9s>pR`Pa<hN%_Xy8YLs&@e&9d842(L5e@$O_812C64T%M_X-s0@$e=O3=AR=2@^E(`w}1)<Mk))5$5y*()
#@Q{^auS<pSytA14wJD;)j{2pJtMChGU+yVvUV0sGSX4ek`&;Z54W0uLVS-R<PU=MMSn^4ja>_UF#&@!IVZ7X9!L<N);{|
L*GP-suSr{{i*z7Woqb<O>%V3lALc**i537%v<fA4D7P4G0b?EF|js9QGCi^!owd1@;C6@fh#V<^+29w(c1`4)74w&;s)L
^!fe#<OkK_+`IYq>Jjko<jM669|!gA^zrovDkb*^76t7TIRn-G01WCIJowcE@dNrL6Z_O37$Pbf8uHOCRVyR>65z}PN+tj
b0UZ4bB^L-Y<?sdF)&lJg^zHZK%IdDr3F`6J#oFHl^x^co$mQG>?f(AP-P_6(`v&p}7x3ooEF%;jA2$0BHZlz@D=iNx9yu
u<>FWj{7z89R<oM(W9~~ejF&gas6e{n}`27bOBJ#l44p>t2^zYdT8z2w~Dg_cT6#4TGFDCaN2-^Ss3<&os`Lzc6>-!x>|E
f6;`}`F#&zwaX`wkl#)2bH@1r7)s->(J`Cl&z<%(MCk9O(TU*xdK}2lLwyCoS!((f{Y#_W`)?-r&*+`^=E@7suui=ilzu+
W_tG4h|y;-z*FNApa5v4?ijE=lBcV`dBRj_!bDh@n<dm8X+6g3|%DV?l3;dA}%-l<UuQ^K`9*)+Xwu|IT{h@?gr<zA~^~3
1^@>8>IUHt4iyd&AQ%S|5EC2<EA0La3IO%_@%t9^_x|DE|1BcfvB~814HW&%#Nhh%0ru(O@cjw&-w_5MC;IFF@&OJiCKeY
UFfJz@1t#|S6#wb-;wJ$V1N`wO^9v0AD9*Cj|1T{h0BmBhNImI9-HRCN+XDCBCZmBsJ)5&g&`xJgxWB7VfswaizO=TgSYV
^9SIfFZy=Z2_fd
"""
